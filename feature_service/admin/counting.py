"""The interceptor that counts every call of the service for its status page, refused ones too."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio

from feature_service.admin.recent import RecentCalls
from protos.onair.v1 import recommendation_pb2 as pb

SERVICE_PATH = "/onair.v1.RecommendationService/"

_NAMES = {code.value[0]: code.name for code in grpc.StatusCode}

Handler = Any  # grpc.RpcMethodHandler, whose fields the stubs do not know; so too the details of a call.
Context = grpc.aio.ServicerContext[Any, Any]


class CountingInterceptor(grpc.aio.ServerInterceptor):
    """Stands before all others, so that it sees what they refuse."""

    def __init__(self, recent: RecentCalls) -> None:
        self._recent = recent

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """The call's handler, counted."""
        handler = await continuation(handler_call_details)
        details: Any = handler_call_details
        path: str = details.method
        if handler is None or not handler.unary_unary or not path.startswith(SERVICE_PATH):
            return handler
        return grpc.unary_unary_rpc_method_handler(
            self._counted(path.removeprefix(SERVICE_PATH), handler.unary_unary),
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    def _counted(
        self, method: str, answer: Callable[[Any, Context], Awaitable[Any]]
    ) -> Callable[[Any, Context], Awaitable[Any]]:
        async def counted(request: Any, context: Context) -> Any:
            start_s, status = time.perf_counter(), "CANCELLED"
            try:
                response = await answer(request, context)
                status = _status(context)
                if isinstance(response, pb.RecommendResponse):
                    stages = (each.stage for each in response.degraded)
                    self._recent.slate(pb.Rung.Name(response.rung), stages, time.monotonic())
                return response
            except grpc.aio.AbortError:
                status = _status(context)
                raise
            except Exception:
                status = "UNKNOWN"
                raise
            finally:
                self._recent.call(method, status, (time.perf_counter() - start_s) * 1000, time.monotonic())

        return counted


def _status(context: Context) -> str:
    """The name of the status that a call ends with; none was set = OK."""
    code: Any = context.code()
    return code.name if isinstance(code, grpc.StatusCode) else _NAMES.get(code or 0, "UNKNOWN")
