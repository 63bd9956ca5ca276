"""The part of RecommendationService that those who run the platform call: converts, asks, converts."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

import grpc
import grpc.aio

from feature_service.admin import messages
from feature_service.admin.live_rooms import MOST_LISTED, LiveOrder, Part, list_live_rooms
from feature_service.admin.model_store import ModelStore, StoreUnknownError
from feature_service.admin.model_versions import model_versions
from feature_service.admin.status import status_of
from feature_service.checks import RequestError, check_count
from feature_service.service import FeatureService
from protos.onair.v1 import recommendation_pb2 as pb
from protos.onair.v1 import recommendation_pb2_grpc as pb_grpc
from serving.versions import PublishError

Answer = TypeVar("Answer")
RpcContext = grpc.aio.ServicerContext[Any, Any]


class AdminServicer(pb_grpc.RecommendationServiceServicer):
    """The methods that look at the platform as a whole, or change what serves."""

    def __init__(self, service: FeatureService) -> None:
        self._service = service
        self._store = ModelStore(service.settings.models.folder)
        self._started_s = time.monotonic()

    async def ListLiveRooms(  # noqa: N802
        self, request: pb.ListLiveRoomsRequest, context: RpcContext
    ) -> pb.ListLiveRoomsResponse:
        """A part of the rooms on air."""

        async def answer() -> pb.ListLiveRoomsResponse:
            service = self._service
            found = list_live_rooms(service.state, service.live, service.series, _part(request), service.now_ms())
            return messages.live_response(found)

        return await _told(answer, context)

    async def GetStatus(  # noqa: N802
        self,
        request: pb.GetStatusRequest,  # noqa: ARG002
        context: RpcContext,  # noqa: ARG002
    ) -> pb.GetStatusResponse:
        """How the service does."""
        return messages.status_response(status_of(self._service, self._started_s, time.monotonic()))

    async def ListModelVersions(  # noqa: N802
        self,
        request: pb.ListModelVersionsRequest,  # noqa: ARG002
        context: RpcContext,
    ) -> pb.ListModelVersionsResponse:
        """The versions of all models."""
        return messages.versions_response(*await model_versions(self._service, self._store, _left_s(context)))

    async def Rollback(self, request: pb.RollbackRequest, context: RpcContext) -> pb.RollbackResponse:  # noqa: N802
        """Publishes an old version again."""

        async def answer() -> pb.RollbackResponse:
            version = await asyncio.to_thread(self._store.roll_back, request.model, request.version)
            return pb.RollbackResponse(version=version)

        return await _told(answer, context)


async def _told(call: Callable[[], Awaitable[Answer]], context: RpcContext) -> Answer:
    """Runs a call; an error becomes its status."""
    try:
        return await call()
    except RequestError as error:
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
    except (StoreUnknownError, PublishError) as error:
        await context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))


def _part(request: pb.ListLiveRoomsRequest) -> Part:
    """The part of the list that is asked for.

    Raises:
        RequestError: A field is not usable.
    """
    check_count("limit", request.limit, MOST_LISTED)
    if request.offset < 0:
        raise RequestError(f"offset: expected 0 or more, received {request.offset}")
    try:
        order = LiveOrder(request.order)
    except ValueError:
        raise RequestError(f"order: expected one of LiveOrder, received {request.order}") from None
    return Part(order, request.offset, request.limit, request.newcomers_only)


_PATIENCE_S = 2.0


def _left_s(context: RpcContext) -> float:
    """Time for questions to the model servers, so that an answer without them still comes in time."""
    left_s = cast(float | None, context.time_remaining())  # The stubs do not know of callers without a deadline.
    return _PATIENCE_S if left_s is None else min(_PATIENCE_S, left_s / 2)
