"""Administration: what those who run the platform ask of a service: its live rooms, its state, its models."""
