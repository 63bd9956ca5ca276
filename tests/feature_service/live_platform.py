"""A live platform in memory, for tests: events go in, and what the stages read comes out."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from feature_service import settings
from feature_service.features.catalog import build_catalog
from feature_service.features.events import Event, EventKind
from feature_service.features.schema import key_of
from feature_service.features.state import State
from feature_service.features.view import Context
from feature_service.live.index import LiveIndex
from feature_service.live.table import LiveTable, Rows
from feature_service.models import ServedModel
from feature_service.stages import Candidates, Ranked, Recalled, Request, World

NOON_MS = 1_800_000_000_000
"""Second 0 of the tests' clock."""

HOUR_MS = 3_600_000
CONTENT_WIDTH = 2


class LivePlatform:
    """Times are seconds since `NOON_MS`; a room `anna/1` is a broadcast of the streamer `anna`."""

    def __init__(self) -> None:
        self.state = State(build_catalog(CONTENT_WIDTH).memories)
        self.live = LiveTable(self.state)
        self.indexes: dict[str, LiveIndex] = {}
        self.models: dict[str, ServedModel] = {}
        self._events = 0

    def report(self, kind: EventKind, at_s: float = 0, **fields: Any) -> None:
        """Applies one event; the streamer follows from the room."""
        self._events += 1
        if "room_id" in fields:
            fields.setdefault("streamer_id", fields["room_id"].partition("/")[0])
        event = Event(f"e{self._events}", kind, NOON_MS + round(at_s * 1000), **fields)
        self.state.apply(event)
        self.live.learn(event)

    def start(self, room_id: str, at_s: float = 0, category: str = "", **fields: Any) -> None:
        """A room goes on air, with a lease of an hour."""
        self.report(EventKind.ROOM_STARTED, at_s, room_id=room_id, category=category, **{"lease_ms": HOUR_MS, **fields})

    def enter(self, room_id: str, at_s: float = 0, *, user_id: str = "someone", times: int = 1, **fields: Any) -> None:
        """A user enters a room."""
        for _ in range(times):
            self.report(EventKind.ENTER, at_s, room_id=room_id, user_id=user_id, **fields)

    def follow(self, user_id: str, streamer_id: str, at_s: float = 0) -> None:
        """A user follows a streamer."""
        self.report(EventKind.FOLLOW, at_s, user_id=user_id, streamer_id=streamer_id)

    def rows(self, *room_ids: str) -> Rows:
        """The rooms' rows."""
        return np.array([self.state.rooms.find(key_of("room", room_id)) for room_id in room_ids], np.intp)

    def rooms(self, rows: Rows) -> list[str]:
        """The rooms' ids."""
        keys = self.state.rooms.fields["key"][rows].tolist()
        return [self.state.facts.rooms[key].room_id for key in keys]

    @property
    def world(self) -> World:
        """What stages read."""
        return World(self.state, self.live, self.indexes, self.models)

    def ranked(self, scores: Mapping[str, float], found_by: Mapping[str, tuple[str, ...]] | None = None) -> Ranked:
        """Rooms with the given scores, in that order.

        Args:
            scores: Score by room.
            found_by: The rooms that each channel found; None = a channel `any` found all.
        """
        found_by = found_by or {"any": tuple(scores)}
        found = np.array([[room in rooms for rooms in found_by.values()] for room in scores])
        ranks = np.where(found, 0, -1).astype(np.int32)
        candidates = Candidates(self.rows(*scores), tuple(found_by), ranks, ranks.astype(np.float32))
        none = np.zeros((len(scores), 0))
        return Ranked(candidates, (), none.astype(np.float32), none, np.array(list(scores.values()), np.float64))


def request(
    user_id: str = "viewer", at_s: float = 0, *, k: int = 3, request_id: str = "q", region: str = "", **scene: Any
) -> Request:
    """A request in the scene `home`, whose settings can be overridden by name."""
    home = replace(settings.load().scene("home"), **scene)
    key = key_of("user", user_id)
    now_ms = NOON_MS + round(at_s * 1000)
    return Request(request_id, user_id, key, k, home, Context(region=region), now_ms, np.zeros(0, np.int64))


def recalled(channel: str, *rows: int) -> Recalled:
    """What a channel found, with the scores 1, 1/2, 1/3 and so on."""
    return Recalled(channel, np.array(rows, np.intp), (1 / np.arange(1, len(rows) + 1)).astype(np.float32))
