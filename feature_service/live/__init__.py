"""Live rooms: the columnar live table and the live index."""
