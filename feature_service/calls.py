"""Calls as interceptors see them: which are the service's, how their handlers are wrapped, and how they ended."""

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio

Handler = Any  # grpc.RpcMethodHandler, whose fields the stubs do not know; so too the details of a call.
Context = grpc.aio.ServicerContext[Any, Any]
Answer = Callable[[Any, Context], Awaitable[Any]]
"""Answers a request."""

Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[Handler]]

_SERVICE_PATH = "/onair.v1.RecommendationService/"
_NAMES = {code.value[0]: code.name for code in grpc.StatusCode}


class ServiceInterceptor(grpc.aio.ServerInterceptor):
    """Stands around the calls of the service; all others, as those for health, pass by."""

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler:
        """The call's handler, wrapped."""
        handler = await continuation(handler_call_details)
        details: Any = handler_call_details
        path: str = details.method
        if handler is None or not handler.unary_unary or not path.startswith(_SERVICE_PATH):
            return handler
        return grpc.unary_unary_rpc_method_handler(
            self.around(path.removeprefix(_SERVICE_PATH), handler.unary_unary),
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    def around(self, method: str, answer: Answer) -> Answer:
        """What is to answer a method's calls, by what answers them so far."""
        raise NotImplementedError


def status_of(context: Context) -> str:
    """The name of the status that a call ends with; none was set = OK."""
    code: Any = context.code()
    return code.name if isinstance(code, grpc.StatusCode) else _NAMES.get(code or 0, "UNKNOWN")
