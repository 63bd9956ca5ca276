"""The event log: the truth from which records and facts follow."""
