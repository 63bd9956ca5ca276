"""A blocking client of the feature service, for pages that are made on a thread each."""

import json
from collections.abc import Callable
from typing import TypeVar

import grpc
from google.protobuf.message import Message

from feature_service.client import RETRIES
from protos.onair.v1 import recommendation_pb2 as pb
from protos.onair.v1 import recommendation_pb2_grpc as pb_grpc
from serving.credentials import PLAIN, Credentials

Answer = TypeVar("Answer")


class ApiError(Exception):
    """The service refused a question, or did not answer it.

    Attributes:
        code: The status of the call.
    """

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class ConsoleClient:
    """Calls RecommendationService. One channel serves all threads; it opens with the first call."""

    def __init__(self, target: str, timeout_s: float = 5.0, credentials: Credentials = PLAIN) -> None:
        """Makes the channel.

        Args:
            target: `host:port`, or a name that resolves to all replicas (`dns:///feature-service:8600`).
            timeout_s: Deadline of each call, retries included, seconds.
            credentials: By what the service is known, and what it knows us by.
        """
        options = [
            ("grpc.service_config", json.dumps(RETRIES)),
            ("grpc.max_receive_message_length", -1),
        ]
        self.target = target
        self._channel = credentials.channel(target, options)
        self._stub = pb_grpc.RecommendationServiceStub(self._channel)
        self._timeout_s = timeout_s

    def explain(self, user_id: str, k: int, scene: str) -> pb.ExplainResponse:
        """A slate with its trace.

        Args:
            user_id: The viewer.
            k: Length of the slate; an int32, what else it may be the service says.
            scene: Where in the app; empty = the default scene.

        Raises:
            ApiError: The service refused the question (INVALID_ARGUMENT names the field), was late or is away.
        """
        return self._ask(self._stub.Explain, pb.RecommendRequest(user_id=user_id, k=k, scene=scene))

    def what_if(self, request: pb.WhatIfRequest) -> pb.ExplainResponse:
        """The slate that something else would make.

        Raises:
            ApiError: As of `explain`, and so below.
        """
        return self._ask(self._stub.WhatIf, request)

    def live(self, request: pb.ListLiveRoomsRequest) -> pb.ListLiveRoomsResponse:
        """A part of the rooms on air."""
        return self._ask(self._stub.ListLiveRooms, request)

    def status(self) -> pb.GetStatusResponse:
        """How the service does."""
        return self._ask(self._stub.GetStatus, pb.GetStatusRequest())

    def versions(self) -> pb.ListModelVersionsResponse:
        """The versions of all models."""
        return self._ask(self._stub.ListModelVersions, pb.ListModelVersionsRequest())

    def roll_back(self, model: str, version: int) -> pb.RollbackResponse:
        """Publishes an old version again."""
        return self._ask(self._stub.Rollback, pb.RollbackRequest(model=model, version=version))

    def _ask(self, method: Callable[..., Answer], request: Message) -> Answer:
        try:
            return method(request, timeout=self._timeout_s)
        except grpc.RpcError as error:
            call = error if isinstance(error, grpc.Call) else None
            if call is None:
                raise
            raise ApiError(call.code(), call.details() or "") from None

    def close(self) -> None:
        """Closes the channel."""
        self._channel.close()
