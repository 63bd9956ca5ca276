"""The scan: where a user stands, by id or by key, in what a service and its training keep."""
