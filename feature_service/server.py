"""The gRPC server: converts, calls the service, converts. One error → one status."""

import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio
from grpc_reflection.v1alpha import reflection

from feature_service import answers, checks
from feature_service.admin.counting import CountingInterceptor
from feature_service.admin.servicer import AdminServicer
from feature_service.admin.what_if import Wish
from feature_service.checks import Asked, RequestError
from feature_service.convert import ConvertError, event_from_proto
from feature_service.features.events import Event
from feature_service.features.view import Context
from feature_service.health import Server
from feature_service.log.protocol import LogError
from feature_service.overload.hint import abort_with_hint
from feature_service.overload.ladder import Rung
from feature_service.overload.limiter import Limiter, OverloadedError
from feature_service.service import FeatureService
from feature_service.similar import NotServedError
from feature_service.stores.protocol import StoreError
from feature_service.writer import Acceptance, Result
from protos.onair.v1 import event_pb2
from protos.onair.v1 import recommendation_pb2 as pb
from protos.onair.v1 import recommendation_pb2_grpc as pb_grpc
from serving.errors import DeadlineExceededError, ModelNotFoundError, ServerUnavailableError, ServingError

SERVICE = "onair.v1.RecommendationService"

UNIX = "unix:"
"""Begins addresses that are sockets of this machine."""

Answer = TypeVar("Answer")
RpcContext = grpc.aio.ServicerContext[Any, Any]

MAX_REQUEST_BYTES = 8 << 20
"""A report of `checks.MAX_EVENTS` events has room; empty events take 150 times their bytes when they are parsed."""

MAX_DETAIL = 500
"""Characters of an error: longer ones, quoting the request, would not fit into the headers that carry them."""

_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_REQUEST_BYTES),
    ("grpc.max_concurrent_streams", 1_000),  # Of one connection: callers that would send more wait.
    ("grpc.max_connection_age_ms", 600_000),  # So that callers find new replicas;
    ("grpc.max_connection_age_grace_ms", 30_000),  # what is in flight then may end.
    ("grpc.keepalive_time_ms", 60_000),  # A caller that is gone without a word is noticed.
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),  # Who pings more often is cut off.
)

_STATUS: dict[type[ServingError], grpc.StatusCode] = {
    ServerUnavailableError: grpc.StatusCode.UNAVAILABLE,
    ModelNotFoundError: grpc.StatusCode.UNAVAILABLE,
    DeadlineExceededError: grpc.StatusCode.DEADLINE_EXCEEDED,
}
"""What a caller is told of a model server's failure; any other is INTERNAL, for another try would not help."""

log = logging.getLogger(__name__)


class BindError(OSError):
    """The server's address cannot be listened on."""


class RecommendationServicer(AdminServicer):
    """onair.v1.RecommendationService."""

    def __init__(self, service: FeatureService) -> None:
        super().__init__(service)
        self._limiters = service.limiters

    async def Recommend(  # noqa: N802
        self, request: pb.RecommendRequest, context: RpcContext
    ) -> pb.RecommendResponse:
        """A slate."""

        async def answer(rung: Rung) -> pb.RecommendResponse:
            world = self._service.world()
            outcome = await self._service.recommend(_asked(request), context.time_remaining(), world, rung)
            self._service.shown(outcome)
            return answers.recommend_response(outcome, world)

        return await _answer(answer, context, self._limiters.asking)

    async def Explain(  # noqa: N802
        self, request: pb.RecommendRequest, context: RpcContext
    ) -> pb.ExplainResponse:
        """A slate with its trace."""

        async def answer(rung: Rung) -> pb.ExplainResponse:
            world = self._service.world()
            outcome = await self._service.recommend(_asked(request), context.time_remaining(), world, rung)
            return answers.explain_response(outcome, world, self._service.catalog)

        return await _answer(answer, context, self._limiters.asking)

    async def WhatIf(  # noqa: N802
        self, request: pb.WhatIfRequest, context: RpcContext
    ) -> pb.ExplainResponse:
        """Another slate with its trace."""

        async def answer(rung: Rung) -> pb.ExplainResponse:
            fusion = request.fusion.weights if request.HasField("fusion") else None
            wish = Wish(fusion, request.ranker, request.ranker_version)
            asked, left_s = _asked(request.request), context.time_remaining()
            outcome, world = await self._service.what_if(asked, wish, left_s, self._service.world(), rung)
            return answers.explain_response(outcome, world, self._service.catalog)

        return await _answer(answer, context, self._limiters.asking)

    async def SimilarStreamers(  # noqa: N802
        self, request: pb.SimilarStreamersRequest, context: RpcContext
    ) -> pb.SimilarStreamersResponse:
        """Streamers like another."""

        async def answer(_: Rung) -> pb.SimilarStreamersResponse:
            neighbours = await self._service.similar(
                request.streamer_id,
                request.k,
                live_only=request.live_only,
                timeout_s=context.time_remaining(),
                world=self._service.world(),
            )
            return answers.similar_response(neighbours)

        return await _answer(answer, context, self._limiters.asking)

    async def GetFeatures(  # noqa: N802
        self, request: pb.GetFeaturesRequest, context: RpcContext
    ) -> pb.GetFeaturesResponse:
        """Feature tensors."""

        async def answer(_: Rung) -> pb.GetFeaturesResponse:
            where = Context(request.scene, request.context.device, request.context.network, request.context.region)
            found = await self._service.features(
                request.user_id, list(request.room_ids), where, request.model, self._service.world()
            )
            return answers.features_response(
                found.tensors, found.layout, found.unknown_room_ids, found.now_ms, found.log_position
            )

        return await _answer(answer, context, self._limiters.asking)

    async def ReportEvents(  # noqa: N802
        self, request: pb.ReportEventsRequest, context: RpcContext
    ) -> pb.ReportEventsResponse:
        """Takes events in."""

        async def answer(_: Rung) -> pb.ReportEventsResponse:
            return answers.report_response(await self._report(request.events))

        return await _answer(answer, context, self._limiters.reporting)

    async def _report(self, messages: Sequence[event_pb2.Event]) -> list[Result]:
        """Takes in what stands for an event; a message that does not is refused alone."""
        checks.check_count("events", len(messages), checks.MAX_EVENTS)
        events: list[Event] = []
        refused: dict[int, Result] = {}
        for place, message in enumerate(messages):
            try:
                events.append(event_from_proto(message))
            except ConvertError as error:
                refused[place] = Result(message.event_id, Acceptance.REFUSED, str(error))
        taken = iter(await self._service.report(events) if events else ())
        return [refused.get(place) or next(taken) for place in range(len(messages))]


async def start_server(
    service: FeatureService,
    address: str,
    *,
    credentials: grpc.ServerCredentials | None = None,
    interceptors: Sequence[grpc.aio.ServerInterceptor] = (),
    shared: bool = False,
    first: bool = True,
) -> tuple[Server, int]:
    """Starts the server with health and reflection.

    Args:
        service: What it serves.
        address: `host:port`, port 0 takes a free one; or `unix:path`.
        credentials: By which callers reach it; None = in plain text.
        interceptors: See each call, the first one first.
        shared: Whether several processes listen on the port, and the system spreads connections over them.
        first: Whether this is the first of them, which the port has to be free for.

    Returns:
        The running server, and its port.

    Raises:
        BindError: The address is in use, or is none of this machine.
    """
    if first and not address.startswith(UNIX):
        _require_free(address)
    server = grpc.aio.server(
        interceptors=[CountingInterceptor(service.recent), *interceptors],
        options=[*_OPTIONS, ("grpc.so_reuseport", int(shared))],
    )
    pb_grpc.add_RecommendationServiceServicer_to_server(RecommendationServicer(service), server)
    health = health_aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    names = (SERVICE, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server)
    try:
        port = server.add_secure_port(address, credentials) if credentials else server.add_insecure_port(address)
    except RuntimeError:
        raise BindError(f"{address}: expected a free address of this machine; is the port in use?") from None
    running = Server(server, health, SERVICE)
    await running.start(lambda: service.ready, service.settings.service.ready_s)
    return running, port


def _require_free(address: str) -> None:
    """Tries the address first: gRPC would write lines of its own about one that is taken."""
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host.strip("[]"), int(port)), family=family).close()
    except (OSError, ValueError, OverflowError) as error:
        raise BindError(f"{address}: expected host:port, a free address of this machine, received: {error}") from None


async def _answer(call: Callable[[Rung], Awaitable[Answer]], context: RpcContext, limiter: Limiter) -> Answer:
    """Runs a call if it is let in; an error becomes its status."""
    try:
        with limiter.admitted() as rung:
            return await call(rung)
    except OverloadedError as error:
        await abort_with_hint(context, str(error), error.retry_after_s)
    except RequestError as error:
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error)[:MAX_DETAIL])
    except NotServedError as error:
        await context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error)[:MAX_DETAIL])
    except ServingError as error:
        log.warning("a model server does not answer: %s", error)
        await context.abort(_STATUS.get(type(error), grpc.StatusCode.INTERNAL), str(error)[:MAX_DETAIL])
    except (LogError, StoreError) as error:
        log.exception("events cannot be taken in")
        await context.abort(grpc.StatusCode.UNAVAILABLE, str(error)[:MAX_DETAIL])


def _asked(request: pb.RecommendRequest) -> Asked:
    where = Context(device=request.context.device, network=request.context.network, region=request.context.region)
    return Asked(
        user_id=request.user_id,
        scene=request.scene,
        k=request.k,
        context=where,
        page_token=request.page_token,
        request_id=request.request_id,
    )
