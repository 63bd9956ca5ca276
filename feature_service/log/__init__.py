"""The event log: what is acknowledged is durable here, in the order that is the truth."""
