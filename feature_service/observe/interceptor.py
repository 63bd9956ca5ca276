"""The interceptor that observes every call of the service: how long it took, how it ended, and its span."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio

from feature_service.observe.metrics import Metrics
from feature_service.observe.tracing import Tracing

SERVICE_PATH = "/onair.v1.RecommendationService/"

_NAMES = {code.value[0]: code.name for code in grpc.StatusCode}

Handler = Any  # grpc.RpcMethodHandler, whose fields the stubs do not know.
Context = grpc.aio.ServicerContext[Any, Any]


class ObservingInterceptor(grpc.aio.ServerInterceptor):
    """Stands before all others, so that it sees what they refuse too. Health checks are not counted."""

    def __init__(self, metrics: Metrics, tracing: Tracing | None) -> None:
        self._metrics = metrics
        self._tracing = tracing

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """The call's handler, observed."""
        handler = await continuation(handler_call_details)
        path: str = handler_call_details.method  # pyright: ignore[reportAttributeAccessIssue]
        if handler is None or not handler.unary_unary or not path.startswith(SERVICE_PATH):
            return handler
        observed = self._observed(path.removeprefix(SERVICE_PATH), handler.unary_unary)
        return grpc.unary_unary_rpc_method_handler(
            observed,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    def _observed(
        self, method: str, answer: Callable[[Any, Context], Awaitable[Any]]
    ) -> Callable[[Any, Context], Awaitable[Any]]:
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
                status = _status(context)
                raise
            finally:
                self._metrics.calls[method, status].observe(time.perf_counter() - start_s)
                if span:
                    span.end(status)

        return observed


def _status(context: Context) -> str:
    """The name of the status that a call was ended with."""
    code: Any = context.code()
    return code.name if isinstance(code, grpc.StatusCode) else _NAMES.get(code, "UNKNOWN")


def _is_late(context: Context) -> bool:
    """Whether the caller's deadline is over."""
    left_s: Any = context.time_remaining()  # None = the caller set none, which the stubs do not know.
    return left_s is not None and left_s <= 0
