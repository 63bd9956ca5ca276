"""Stores: the checkpoint of records and facts."""
