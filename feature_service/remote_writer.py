"""The writer of another process: reports are forwarded to it, and are acknowledged when it has acknowledged them."""

from collections.abc import Sequence

import grpc.aio

from feature_service.answers import ACCEPTANCE
from feature_service.client import FeatureServiceClient
from feature_service.features.events import Event
from feature_service.log.protocol import LogError
from feature_service.writer import Result
from serving.credentials import PLAIN, Credentials

TIMEOUT_S = 5.0
"""For the writer's answer, time for it to start again included; a caller who goes earlier takes the call along."""

_ACCEPTANCE = {message: acceptance for acceptance, message in ACCEPTANCE.items()}


class RemoteWriter:
    """Forwards reports over gRPC."""

    def __init__(self, target: str, credentials: Credentials = PLAIN) -> None:
        """Connects when the first report comes.

        Args:
            target: The writer, `host:port`.
            credentials: By what it is known, and what it knows us by; the token needs the scope `report`.
        """
        self._target = target
        self._client = FeatureServiceClient(target, TIMEOUT_S, credentials)

    async def report(self, reported: Sequence[Event], now_ms: int) -> list[Result]:  # noqa: ARG002
        """Has the writer take events in, by its own clock.

        Raises:
            LogError: It does not answer; nothing is acknowledged, though it may have taken events in. Whoever reports
                them again gets `DUPLICATE` for those.
        """
        try:
            results = await self._client.report(reported, wait=True)
        except grpc.aio.AioRpcError as error:
            raise LogError(f"the writer {self._target}: {error.code().name}: {error.details()}") from None
        return [Result(each.event_id, _ACCEPTANCE[each.acceptance], each.reason) for each in results]

    async def close(self) -> None:
        """Closes the connection."""
        await self._client.close()
