"""A feature service in the test's process, over real gRPC and real models, whose clock can be put forward."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from feature_service import settings
from feature_service.boot import booted
from feature_service.client import FeatureServiceClient
from feature_service.clock import wall_clock
from feature_service.server import start_server
from feature_service.service import FeatureService
from protos.onair.v1 import recommendation_pb2 as pb
from tests.stack import toy_platform

PATIENCE_S = 60.0
"""How long a test waits for what a busy machine may take its time for."""

Found = TypeVar("Found")


@dataclass(slots=True)
class Clock:
    """The machine's clock, put forward by some milliseconds."""

    ahead_ms: int = 0

    def __call__(self) -> int:
        """Unix milliseconds."""
        return wall_clock() + self.ahead_ms


@dataclass(frozen=True, slots=True)
class Stack:
    """A running service.

    Attributes:
        service: It.
        client: Calls it over gRPC.
        clock: The clock of requests and reports.
    """

    service: FeatureService
    client: FeatureServiceClient
    clock: Clock

    async def slate(self, user: str, k: int = 10) -> list[str]:
        """The rooms that a user is shown."""
        return [room.room_id for room in (await self.client.recommend(user, k)).rooms]

    async def candidate(self, user: str, room: str) -> pb.CandidateTrace | None:
        """What Explain says of a room; None when no channel found it."""
        trace = (await self.client.explain(user)).trace
        return next((each for each in trace.candidates if each.room_id == room), None)


@asynccontextmanager
async def running_stack(folder: Path, targets: Sequence[str], more: str = "") -> AsyncGenerator[Stack]:
    """Boots a service of the toy platform, with `more` TOML behind its settings, and waits until it has both models."""
    clock, given = Clock(), settings.parse(toy_platform.SETTINGS + more, "the test")
    async with booted(given, folder / "data", targets) as booted_service:
        service = replace(booted_service, now_ms=clock)
        server, port = await start_server(service, "127.0.0.1:0")
        try:
            async with FeatureServiceClient(f"127.0.0.1:{port}", PATIENCE_S) as client:

                async def versions() -> bool:
                    return len(service.rollout.current.versions) == 2

                await eventually(versions)
                yield Stack(service, client, clock)
        finally:
            await server.stop(None)


async def eventually(look: Callable[[], Awaitable[Found]], timeout_s: float = PATIENCE_S) -> Found:
    """Looks again and again until something is found.

    Raises:
        TimeoutError: Nothing was.
    """
    deadline_s = time.monotonic() + timeout_s
    while not (found := await look()):
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"nothing found in {timeout_s:g} s")
        await asyncio.sleep(0.01)
    return found
