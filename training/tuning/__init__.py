"""Tuning what is no model: the weights of the fusion, on logged requests."""
