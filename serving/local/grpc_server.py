"""The gRPC transport: converts, calls the data plane, converts back."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from protos.onair.v1 import tfserving_pb2 as messages
from serving import contract
from serving.errors import ServingError, serving_error
from serving.local.dataplane import DataPlane

log = logging.getLogger(__name__)

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)

HEALTH_SERVICES = ("", "PredictionService", "ModelService")  # the names that tensorflow_model_server registers

_OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.so_reuseport", 0),  # else a second server would share the port instead of failing
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
)


class _Health(health.HealthServicer):
    """Health checks with TF Serving's words for a service it does not know."""

    def __init__(self) -> None:
        super().__init__()
        for name in HEALTH_SERVICES:
            self.set(name, health_pb2.HealthCheckResponse.SERVING)

    def Check(  # noqa: N802 (gRPC's name)
        self, request: health_pb2.HealthCheckRequest, context: grpc.ServicerContext
    ) -> health_pb2.HealthCheckResponse:
        """Answers SERVING for the registered names."""
        if request.service not in HEALTH_SERVICES:
            context.abort(grpc.StatusCode.NOT_FOUND, "service name unknown")
        return health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)


def start_grpc_server(
    plane: DataPlane,
    port: int,
    *,
    threads: int,
    health_checks: bool,
    credentials: grpc.ServerCredentials | None,
) -> tuple[grpc.Server, int]:
    """Starts to answer.

    Args:
        plane: What answers.
        port: TCP port on all interfaces; 0 takes a free one.
        threads: How many requests are answered at once; more of them wait.
        health_checks: Whether to answer `grpc.health.v1`.
        credentials: By which callers reach it; None = in plain text.

    Returns:
        The running server and its port.

    Raises:
        ServerUnavailableError: The port is taken.
    """
    server = grpc.server(ThreadPoolExecutor(threads, "grpc"), options=_OPTIONS)
    server.add_generic_rpc_handlers(
        (
            _service(
                {
                    contract.PREDICT: _method(plane.predict, messages.PredictRequest),
                    contract.GET_MODEL_METADATA: _method(plane.model_metadata, messages.GetModelMetadataRequest),
                }
            ),
            _service(
                {
                    contract.GET_MODEL_STATUS: _method(plane.model_status, messages.GetModelStatusRequest),
                    contract.RELOAD_CONFIG: _method(plane.reload_config, messages.ReloadConfigRequest),
                }
            ),
        )
    )
    if health_checks:
        health_pb2_grpc.add_HealthServicer_to_server(_Health(), server)
    try:
        address = f"0.0.0.0:{port}"
        bound = server.add_secure_port(address, credentials) if credentials else server.add_insecure_port(address)
    except RuntimeError as error:
        raise serving_error(grpc.StatusCode.UNAVAILABLE, f"cannot listen on port {port}: it is in use") from error
    server.start()
    return server, bound


def _service(methods: "dict[str, grpc.RpcMethodHandler[Any, Any]]") -> grpc.GenericRpcHandler:
    (service,) = {path.split("/")[1] for path in methods}
    return grpc.method_handlers_generic_handler(
        service, {path.split("/")[2]: handler for path, handler in methods.items()}
    )


def _method(answer: Callable[[Request], Response], request_type: type[Request]) -> "grpc.RpcMethodHandler[Any, Any]":
    def call(request: Request, context: grpc.ServicerContext) -> Response:
        try:
            return answer(request)
        except ServingError as error:
            context.abort(error.code, error.message)
        except Exception as error:
            log.exception("%s failed", request_type.__name__)
            context.abort(grpc.StatusCode.INTERNAL, f"{type(error).__name__}: {error}")

    return grpc.unary_unary_rpc_method_handler(
        call,
        request_deserializer=request_type.FromString,
        response_serializer=_serialise,
    )


def _serialise(message: Message) -> bytes:
    return message.SerializeToString()
