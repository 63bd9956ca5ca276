"""Observability: what a service tells of itself by metrics, traces and log lines."""
