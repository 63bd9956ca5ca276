"""Streaming: the worker that follows a service's logs, and writes what they tell as samples by the hour."""
