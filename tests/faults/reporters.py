"""App services that report events to a feature service which is killed meanwhile, and remember what it acknowledged."""

import asyncio
import itertools
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc.aio

from feature_service.client import FeatureServiceClient
from feature_service.clock import wall_clock
from feature_service.features.catalog import build_catalog
from feature_service.features.events import Event, EventKind
from feature_service.features.schema import key_of
from feature_service.features.state import State
from feature_service.service import FeatureService
from protos.onair.v1 import recommendation_pb2 as pb
from tests.feature_service.event_streams import contents
from tests.stack.service_process import ServiceProcess

PATIENCE_S = 60.0
EVENTS_A_SECOND = 500
BATCH = 25
REPORTERS = 4

ROOMS, USERS = 20, 50
SETTINGS = "[service]\ncheckpoint_s = 0.3\ncontent_width = 2\n"
"""Checkpoints are taken all the time, so that a kill meets one half done."""


class Reporters:
    """Several app services that report events at a steady rate, and note what was acknowledged."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self.acknowledged: set[str] = set()
        self.unanswered: list[Event] = []
        self.enough = asyncio.Event()

    async def report(self, target: str, wanted: int) -> None:
        """Reports until the service is gone; `enough` is set after so many acknowledged events."""
        async with FeatureServiceClient(target, PATIENCE_S) as client:
            await asyncio.gather(*(self._report(client, wanted) for _ in range(REPORTERS)))

    async def _report(self, client: FeatureServiceClient, wanted: int) -> None:
        with suppress(grpc.aio.AioRpcError):
            while True:
                batch = [self.event(next(self._numbers)) for _ in range(BATCH)]
                self.unanswered += batch
                for result in await client.report(batch):
                    assert result.acceptance == pb.ACCEPTED, result
                    self.acknowledged.add(result.event_id)
                self.unanswered = [event for event in self.unanswered if event.event_id not in self.acknowledged]
                if len(self.acknowledged) >= wanted:
                    self.enough.set()
                await asyncio.sleep(BATCH * REPORTERS / EVENTS_A_SECOND)

    @staticmethod
    def event(number: int) -> Event:
        """The event of a number: first the rooms start, then viewers come."""
        room, now_ms = number % ROOMS, wall_clock()
        fields: dict[str, Any] = {"room_id": f"room-{room}", "streamer_id": f"streamer-{room}"}
        if number < ROOMS:
            return Event(str(number), EventKind.ROOM_STARTED, now_ms, category="music", lease_ms=3_600_000, **fields)
        kind = (EventKind.ENTER, EventKind.LIKE, EventKind.FOLLOW, EventKind.GIFT)[number % 4]
        return Event(str(number), kind, now_ms - number % 60_000, user_id=f"user-{number % USERS}", **fields)


async def killed_under_load(folder: Path, reporters: Reporters, wanted: int, settings: str = SETTINGS) -> None:
    """A service takes events until enough are acknowledged, and is killed while more are on their way."""
    service = ServiceProcess(folder, settings=settings)
    reporters.enough.clear()
    reporting = asyncio.create_task(reporters.report(service.target, wanted))
    await asyncio.wait_for(reporters.enough.wait(), PATIENCE_S)
    await asyncio.to_thread(service.kill)
    await reporting


async def assert_nothing_lost(
    service: FeatureService, reporters: Reporters, log: Callable[[], Iterable[tuple[int, Event]]]
) -> None:
    """What was acknowledged is in the log, each event once, and the state of the service is that of the log.

    Args:
        service: Started again, with nothing reported to it since.
        reporters: Who knows what was acknowledged.
        log: Gives the events of the log with their positions.
    """
    logged = [event.event_id for _, event in log()]
    assert len(logged) == len(set(logged))
    assert reporters.acknowledged <= set(logged)
    assert service.state.position == len(logged)

    # What got no answer is reported again, as an app service does: what was logged after all is a duplicate.
    again = await service.report([*reporters.unanswered, Reporters.event(ROOMS)])
    for result in again:
        assert (result.acceptance == "duplicate") == (result.event_id in logged), result

    for number in range(USERS):
        await service.keeper.ready(key_of("user", f"user-{number}"))
    state = State(build_catalog(2).memories)
    for _, event in log():
        state.apply(event)
    assert contents(service.state) == contents(state)
