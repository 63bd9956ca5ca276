"""The closed loop: simulated viewers are served by the running stack, react, and are served what follows from it."""
