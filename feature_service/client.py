"""A typed client of the feature service for app services: deadline, retry, balancing over replicas."""

import json
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from feature_service.convert import event_to_proto
from feature_service.features.events import Event
from feature_service.features.view import Context
from protos.onair.v1 import recommendation_pb2 as pb
from protos.onair.v1 import recommendation_pb2_grpc as pb_grpc
from serving.credentials import PLAIN, Credentials

RETRIES: dict[str, Any] = {
    "methodConfig": [
        {
            "name": [{"service": "onair.v1.RecommendationService"}],
            "retryPolicy": {
                "maxAttempts": 5,
                "initialBackoff": "0.05s",
                "maxBackoff": "0.2s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],
            },
        }
    ],
    "loadBalancingConfig": [{"round_robin": {}}],
}
"""A call that no server took is sent again; a server that ends cancels those that reached it and that it has not begun.
Reports too: an event that is logged already is a duplicate. The attempts take half a second, in which a server that is
back has been found, for the other may end then."""


class FeatureServiceClient:
    """Calls the feature service. To be made in a running event loop and closed with `close` or `async with`."""

    def __init__(self, target: str, timeout_s: float = 0.5, credentials: Credentials = PLAIN) -> None:
        """Opens a channel lazily.

        Args:
            target: `host:port`, or a name that resolves to all replicas (`dns:///onair:8600`), or several addresses
                (`ipv4:127.0.0.1:8600,127.0.0.1:8601`); calls go to the replicas in turn.
            timeout_s: Deadline of each call, retries included, seconds.
            credentials: By what the replicas are known, and what they know us by.
        """
        options = [
            ("grpc.service_config", json.dumps(RETRIES)),
            ("grpc.max_receive_message_length", -1),
        ]
        self._channel = credentials.aio_channel(target, options)
        self._stub = pb_grpc.RecommendationServiceStub(self._channel)
        self._timeout_s = timeout_s

    async def recommend(
        self,
        user_id: str,
        k: int = 10,
        *,
        scene: str = "",
        context: Context | None = None,
        page_token: str = "",
        request_id: str = "",
    ) -> pb.RecommendResponse:
        """A slate of rooms that are live now.

        Args:
            user_id: The viewer.
            k: Length of the slate.
            scene: Where in the app; empty = the default scene.
            context: Where and how the user asks.
            page_token: `next_page_token` of the page before.
            request_id: Names the answer; empty = the service chooses.

        Raises:
            grpc.aio.AioRpcError: INVALID_ARGUMENT names the field; DEADLINE_EXCEEDED; UNAVAILABLE after retries.
        """
        request = _recommend_request(user_id, k, scene, context, page_token, request_id)
        return await self._stub.Recommend(request, timeout=self._timeout_s)

    async def explain(
        self, user_id: str, k: int = 10, *, scene: str = "", context: Context | None = None, page_token: str = ""
    ) -> pb.ExplainResponse:
        """The same answer with its whole trace.

        Raises:
            grpc.aio.AioRpcError: As `recommend`.
        """
        request = _recommend_request(user_id, k, scene, context, page_token, "")
        return await self._stub.Explain(request, timeout=self._timeout_s)

    async def features(
        self, user_id: str, room_ids: Sequence[str], *, model: str = "", context: Context | None = None
    ) -> pb.GetFeaturesResponse:
        """The feature tensors of a user and rooms; `model` names a served model, empty = the whole catalogue.

        Raises:
            grpc.aio.AioRpcError: As `recommend`.
        """
        where = context or Context()
        request = pb.GetFeaturesRequest(
            user_id=user_id, room_ids=room_ids, scene=where.scene, context=_context(where), model=model
        )
        return await self._stub.GetFeatures(request, timeout=self._timeout_s)

    async def similar(self, streamer_id: str, k: int = 10, *, live_only: bool = False) -> pb.SimilarStreamersResponse:
        """The streamers whom those watch that watch this one, best first; none of a streamer who is not known.

        Args:
            streamer_id: The streamer.
            k: How many at most.
            live_only: Only streamers who are on air now.

        Raises:
            grpc.aio.AioRpcError: As `recommend`; FAILED_PRECONDITION while no model of neighbours serves.
        """
        request = pb.SimilarStreamersRequest(streamer_id=streamer_id, k=k, live_only=live_only)
        return await self._stub.SimilarStreamers(request, timeout=self._timeout_s)

    async def report(self, events: Sequence[Event], *, wait: bool = False) -> list[pb.EventResult]:
        """Reports events; returns when they are durable, with what became of each.

        Args:
            events: What happened.
            wait: Whether to wait for a server while none can be reached, as long as the deadline allows.

        Raises:
            grpc.aio.AioRpcError: As `recommend`.
        """
        request = pb.ReportEventsRequest(events=[event_to_proto(event) for event in events])
        response = await self._stub.ReportEvents(request, timeout=self._timeout_s, wait_for_ready=wait)
        return list(response.results)

    async def close(self) -> None:
        """Closes the channel."""
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def _recommend_request(
    user_id: str, k: int, scene: str, context: Context | None, page_token: str, request_id: str
) -> pb.RecommendRequest:
    return pb.RecommendRequest(
        user_id=user_id,
        k=k,
        scene=scene,
        context=_context(context or Context()),
        page_token=page_token,
        request_id=request_id,
    )


def _context(context: Context) -> pb.Context:
    return pb.Context(device=context.device, network=context.network, region=context.region)
