"""A proxy in front of a model server: passes calls on as they are, and keeps the bytes of Predict requests."""

import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc

from protos.onair.v1.tfserving_pb2 import PredictRequest
from serving import contract


class Proxy(grpc.GenericRpcHandler):
    """Forwards every call to `target`; `address` is its own."""

    def __init__(self, target: str) -> None:
        self._channel = grpc.insecure_channel(target)
        self._lock = threading.Lock()
        self._captured: list[PredictRequest] = []
        self.address = ""

    def service(self, handler_call_details: Any) -> Any:
        """The handler of a method: bytes in, bytes out."""
        method: str = handler_call_details.method
        forward = self._channel.unary_unary(method)

        def call(request: bytes, context: grpc.ServicerContext) -> bytes:
            if method == contract.PREDICT:
                with self._lock:
                    self._captured.append(PredictRequest.FromString(request))
            try:
                return forward(request, timeout=context.time_remaining())
            except grpc.RpcError as error:
                context.abort(error.code(), error.details() or "")
                raise AssertionError from error

        return grpc.unary_unary_rpc_method_handler(call)

    def take(self, *signatures: str) -> list[PredictRequest]:
        """The requests of these signatures since the last call, in order of their coming."""
        with self._lock:
            captured, self._captured = self._captured, []
        return [each for each in captured if each.model_spec.signature_name in signatures]

    def close(self) -> None:
        """Closes the way to the model server."""
        self._channel.close()


@contextmanager
def proxying(target: str) -> Generator[Proxy]:
    """A proxy on a free port."""
    proxy = Proxy(target)
    server = grpc.server(ThreadPoolExecutor(32))
    server.add_generic_rpc_handlers((proxy,))
    proxy.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield proxy
    finally:
        server.stop(None).wait()
        proxy.close()
