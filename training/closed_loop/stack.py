"""The stack as a policy: a feature service on the simulation's clock, asked over gRPC, before a real model server."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from feature_service import settings
from feature_service.boot import booted
from feature_service.client import FeatureServiceClient
from feature_service.features.events import Event
from feature_service.features.view import Context
from feature_service.server import start_server
from feature_service.settings import Settings
from protos.onair.v1 import recommendation_pb2 as pb
from training.closed_loop.policies import best
from training.data.simulation.crowd import Asking
from training.data.simulation.identity import user_id
from training.data.simulation.people import COUNTRIES, DEVICES, Ints

AT_ONCE = 4
"""Requests under way at a time."""

PATIENCE_S = 10.0
EVENTS_AT_ONCE = 5_000


class Clock:
    """A clock that its owner sets."""

    def __init__(self, now_ms: int) -> None:
        """Shows `now_ms` until `now_ms` is set anew."""
        self.now_ms = now_ms

    def __call__(self) -> int:
        """Unix milliseconds."""
        return self.now_ms


class StackError(Exception):
    """The stack did not take what it was given."""


class Stack:
    """A policy, see `Policy`, for threads other than that of the event loop which the stack runs in.

    Attributes:
        follow: Lets the service look for new versions of its models now.
        short: Slates that had fewer rooms than asked for, and were filled up at random.
        degraded: Answers that had to do without something.
    """

    def __init__(
        self,
        client: FeatureServiceClient,
        clock: Clock,
        room_ids: Sequence[str],
        follow: Callable[[], Awaitable[None]],
    ) -> None:
        """Takes a client, the service's clock, the id of each room by its row, and what lets it look for versions."""
        self._client = client
        self._clock = clock
        self._row_of = {name: row for row, name in enumerate(room_ids)}
        self.follow = follow
        self._loop = asyncio.get_running_loop()
        self.short = self.degraded = 0

    def __call__(self, asking: Asking, k: int) -> Ints:
        """Asks for all slates."""
        self._clock.now_ms = asking.world.settings.start_ms + asking.from_ms
        answers = asyncio.run_coroutine_threadsafe(self._ask(asking, k), self._loop).result()
        column = {row: place for place, row in enumerate(asking.live.tolist())}
        rest = best(asking.rng.random(asking.loyalty.shape), len(asking.live))
        return np.stack([self._slate(answer, column, rest[n], k) for n, answer in enumerate(answers)])

    async def report(self, events: Sequence[Event], now_ms: int) -> None:
        """Tells the service what happened until `now_ms`.

        Raises:
            StackError: It refused an event.
        """
        self._clock.now_ms = now_ms
        for start in range(0, len(events), EVENTS_AT_ONCE):
            for result in await self._client.report(events[start : start + EVENTS_AT_ONCE]):
                if result.acceptance == pb.REFUSED:
                    raise StackError(f"event {result.event_id}: {result.reason}")

    async def _ask(self, asking: Asking, k: int) -> list[pb.RecommendResponse]:
        gate = asyncio.Semaphore(AT_ONCE)

        async def ask(row: int, request_id: str) -> pb.RecommendResponse:
            viewers = asking.world.viewers
            where = Context("", DEVICES[viewers.device[row]], "", COUNTRIES[viewers.country[row]])
            async with gate:
                return await self._client.recommend(user_id(row), k, context=where, request_id=request_id)

        return await asyncio.gather(*map(ask, asking.users.tolist(), asking.request_ids))

    def _slate(self, answer: pb.RecommendResponse, column: dict[int, int], rest: Ints, k: int) -> Ints:
        self.degraded += bool(answer.degraded)
        found = [column[row] for room in answer.rooms if (row := self._row_of[room.room_id]) in column]
        self.short += len(found) < k
        return np.array([*found, *(place for place in rest.tolist() if place not in set(found))][:k])


@asynccontextmanager
async def served(
    settings_file: Path, data: Path, model_server: str, clock: Clock, room_ids: Sequence[str]
) -> AsyncGenerator[Stack]:
    """A feature service in this process, on a gRPC port of its own, as a policy.

    Args:
        settings_file: Its settings.
        data: Its folder, with the history so far.
        model_server: `host:port`.
        clock: What it takes for the time.
        room_ids: The id of each room by its row.

    Raises:
        SettingsError: The settings cannot be used.
        LogError: The data folder's log is corrupt or another writer's.
        StoreError: The data folder's store cannot be read.
    """
    async with booted(_whole(settings.load(settings_file)), data, [model_server], now_ms=clock) as service:
        server, port = await start_server(service, "127.0.0.1:0")
        try:
            async with FeatureServiceClient(f"127.0.0.1:{port}", PATIENCE_S) as client:
                yield Stack(client, clock, room_ids, service.rollout.follow)
        finally:
            await server.stop(None)


def _whole(given: Settings) -> Settings:
    """The settings of a service that answers in full however many ask at once: here time stands still meanwhile."""
    return replace(given, overload=replace(given.overload, least_in_flight=given.overload.most_in_flight))
