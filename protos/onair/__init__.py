"""OnAir's packages of protobuf contracts."""
