"""The console: server-rendered pages that show what the stack recommends, and why. A client of the gRPC API alone."""
