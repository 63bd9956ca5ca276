"""The hint that goes with RESOURCE_EXHAUSTED: when another try is worth while.

It is gRPC's own (gRFC A6, server pushback): clients whose retry policy names the status wait for so long, others may
read it from the trailing metadata.
"""

from typing import Any, NoReturn

import grpc
import grpc.aio

PUSHBACK = "grpc-retry-pushback-ms"
"""Of the trailing metadata: whole milliseconds."""


async def abort_with_hint(
    context: "grpc.aio.ServicerContext[Any, Any]", message: str, retry_after_s: float
) -> NoReturn:
    """Ends a call with RESOURCE_EXHAUSTED, and says when to try again."""
    hint = ((PUSHBACK, str(max(1, round(retry_after_s * 1000)))),)
    await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, message, hint)
