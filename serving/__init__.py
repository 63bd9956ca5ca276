"""TensorFlow Serving: its client, its configuration, how it is started, and an embedded server that speaks its API."""
