"""Data: event logs at rest, the simulator, importers of public data sets, validation."""
