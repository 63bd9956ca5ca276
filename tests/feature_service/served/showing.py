"""A service that shows slates to viewers who act on them, for tests of the served log and of what reads it."""

import itertools
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from feature_service.features.catalog import Catalog, build_catalog
from feature_service.features.events import Event, EventKind
from feature_service.features.layout import CANDIDATE_FLOATS
from feature_service.features.view import Context
from protos.onair.v1 import recommendation_pb2 as pb
from serving import contract
from tests.feature_service.running_service import Running, running
from tests.feature_service.scripted_model_server import Inputs, ScriptedModel, ScriptedServer, serving

CATALOG = build_catalog(2)
"""The catalogue of `running`'s settings."""

ROOMS = 30
SLATE = 5
NOON_MS = 1_800_000_000_000
"""When the services of these tests start."""

CONTEXT = Context(device="phone", network="wifi", region="north")


def full_ranker(catalog: Catalog = CATALOG, patterns: tuple[str, ...] = ("*",)) -> ScriptedModel:
    """Reads every feature; predicts by the viewers in the room, so that the fullest comes first."""
    layout = catalog.layout(patterns, heads=("enter", "like"))
    inputs = tuple(tensor.name for tensor in layout.tensors)
    viewers = layout[CANDIDATE_FLOATS].slices()["room.viewers"].start

    def predictions(_: int, given: Inputs) -> np.ndarray:
        full = (given[CANDIDATE_FLOATS][:, viewers] / 1000).astype(np.float32)
        return np.stack([full, full / 2], axis=1)

    return ScriptedModel(layout, {contract.SERVING_DEFAULT: inputs}, {contract.SERVING_DEFAULT: predictions})


@dataclass(slots=True)
class Clock:
    """A clock that its owner moves on; Unix milliseconds."""

    now_ms: int = NOON_MS

    def __call__(self) -> int:
        """The time that it shows."""
        return self.now_ms


@dataclass(slots=True)
class Showing:
    """A running service with viewers before it.

    Attributes:
        stack: The service.
        server: Its model server.
        clock: Its clock.
        answers: What it answered, by request id.
    """

    stack: Running
    server: ScriptedServer
    clock: Clock
    answers: dict[str, pb.RecommendResponse] = field(default_factory=dict[str, pb.RecommendResponse])
    number: Iterator[int] = field(default_factory=itertools.count)

    async def show(self, user: str, request_id: str = "", page_token: str = "") -> pb.RecommendResponse:
        """Asks for a slate."""
        answer = await self.stack.client.recommend(
            user, SLATE, context=CONTEXT, request_id=request_id, page_token=page_token
        )
        self.answers[answer.request_id] = answer
        return answer

    async def see(self, user: str, answer: pb.RecommendResponse, rooms: int = 2) -> None:
        """After a second the viewer sees the first rooms of a slate, and enters, likes and leaves the first.

        The visit lasts 90 seconds.
        """
        self.clock.now_ms += 1_000
        seen = [self.event(EventKind.IMPRESSION, user, card, answer.request_id) for card in answer.rooms[:rooms]]
        kinds = (EventKind.ENTER, EventKind.LIKE)
        acts = [self.event(kind, user, answer.rooms[0], answer.request_id) for kind in kinds]
        await self.stack.client.report(seen + acts)
        self.clock.now_ms += 90_000
        left = self.event(EventKind.LEAVE, user, answer.rooms[0], answer.request_id, watch_ms=90_000)
        await self.stack.client.report([left])

    async def pass_hours(self, hours: float) -> None:
        """Time goes by, until something happens that is no viewer's doing."""
        self.clock.now_ms += round(hours * 3_600_000)
        renewed = Event(f"e{next(self.number)}", EventKind.ROOM_UPDATED, self.clock.now_ms, room_id="room-0")
        await self.stack.client.report([renewed])

    def event(self, kind: EventKind, user: str, card: pb.RoomCard, request_id: str, **fields: Any) -> Event:
        """What a viewer does with a room now."""
        where = {"user_id": user, "room_id": card.room_id, "streamer_id": card.streamer_id, "request_id": request_id}
        return Event(f"e{next(self.number)}", kind, self.clock.now_ms, **where, **fields)


@asynccontextmanager
async def showing(
    data: Path,
    *,
    share: float = 1.0,
    model: ScriptedModel | None = None,
    more: str = "",
    rooms: int = ROOMS,
    clock: Clock | None = None,
) -> AsyncGenerator[Showing]:
    """A service with rooms on air and a ranker of all features.

    Args:
        data: Its folder.
        share: Of the requests that are logged.
        model: The ranker instead.
        more: Further settings.
        rooms: How many go on air.
        clock: The service's; None = one that stands at noon.
    """
    settings, clock = f"[served]\nshare = {share}\n{more}", clock or Clock()
    async with (
        serving({"mmoe": model or full_ranker()}) as server,
        running(data, [server.target], more=settings, now_ms=clock) as stack,
    ):
        started = [
            Event(
                f"start {n}",
                EventKind.ROOM_STARTED,
                clock.now_ms - 60_000,
                room_id=f"room-{n}",
                streamer_id=f"streamer-{n}",
                category=f"category-{n % 5}",
                title=f"evening {n}",
                viewers=n,
                content=(n / 7, -1.0),
                lease_ms=24 * 3_600_000,
            )
            for n in range(rooms)
        ]
        if started:
            await stack.client.report(started)
        yield Showing(stack, server, clock)
