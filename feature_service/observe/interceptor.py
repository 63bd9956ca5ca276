"""The interceptor that observes every call of the service: how long it took, how it ended, and its span."""

import asyncio
import time
from typing import Any

import grpc.aio

from feature_service.calls import Answer, Context, ServiceInterceptor, status_of
from feature_service.observe.metrics import Metrics
from feature_service.observe.tracing import Tracing


class ObservingInterceptor(ServiceInterceptor):
    """Stands before all others, so that it sees what they refuse too. Health checks are not counted."""

    def __init__(self, metrics: Metrics, tracing: Tracing | None) -> None:
        self._metrics = metrics
        self._tracing = tracing

    def around(self, method: str, answer: Answer) -> Answer:
        """Observed."""

        async def observed(request: Any, context: Context) -> Any:
            start_s, status = time.perf_counter(), "UNKNOWN"
            span = self._tracing.call(method, context.invocation_metadata()) if self._tracing else None
            try:
                response = await answer(request, context)
                status = "OK"
                return response
            except asyncio.CancelledError:
                status = "DEADLINE_EXCEEDED" if _is_late(context) else "CANCELLED"
                raise
            except grpc.aio.AbortError:
                status = status_of(context)
                raise
            finally:
                self._metrics.calls[method, status].observe(time.perf_counter() - start_s)
                if span:
                    span.end(status)

        return observed


def _is_late(context: Context) -> bool:
    """Whether the caller's deadline is over."""
    left_s: Any = context.time_remaining()  # None = the caller set none, which the stubs do not know.
    return left_s is not None and left_s <= 0
