"""The request that a log line belongs to: its id and its trace, in the context of whoever works for it."""

from contextvars import ContextVar

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""Names the answer; empty = nobody's request, or one that has no name yet."""

TRACE_ID: ContextVar[str] = ContextVar("trace_id", default="")
"""The trace of the call, 32 hexadecimal digits; empty = it is not traced."""
