"""Access: who may call the service, for what, how often, and what is recorded of it."""
