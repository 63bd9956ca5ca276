"""The benchmarks' world: rooms on air and viewers with a history, written to a service's store by seed."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_service.features.catalog import Catalog
from feature_service.features.events import Event, EventKind
from feature_service.features.reducers import Entity
from feature_service.features.schema import key_of
from feature_service.features.state import State
from feature_service.stores.keeper import StateKeeper
from feature_service.stores.opening import STORE_FILE
from feature_service.stores.protocol import Changes, StoredUser
from feature_service.stores.sqlite import SqliteStore

CONTENT_WIDTH = 16
CATEGORIES = 24
VISITS_A_VIEWER = 50
NEWCOMERS = 0.15
"""Share of the streamers who are new to the platform."""

_MINUTE_MS = 60_000
_LEASE_MS = 6 * 60 * _MINUTE_MS
_SEED = 20_260


@dataclass(frozen=True, slots=True)
class Size:
    """How large the world is.

    Attributes:
        rooms: Rooms on air, each of a streamer of its own.
        viewers: Viewers who have visited rooms in the last two hours, and who ask.
        known_users: Users in the store, the viewers among them.
    """

    rooms: int = 20_000
    viewers: int = 500
    known_users: int = 500


def viewer_id(number: int) -> str:
    """The id of a viewer."""
    return f"viewer-{number}"


def write_world(data: Path, catalog: Catalog, size: Size, now_ms: int) -> State:
    """Writes the store of a service.

    Args:
        data: The service's data folder.
        catalog: Decides what the records hold.
        size: How large.
        now_ms: The present; the world's events lie in the three hours before.

    Returns:
        The state as the service will restore it.
    """
    data.mkdir(parents=True)
    state = State(catalog.memories)
    store = SqliteStore.open(data / STORE_FILE, state.dtypes)
    try:
        keeper = StateKeeper(state, store)
        keeper.restore()
        generator = np.random.default_rng(_SEED)
        for event in _events(size, now_ms, generator):
            event = state.facts.complete(event, _LEASE_MS)
            state.apply(event)
            state.position += 1
            keeper.touched(event)
        _give_past(state, generator)
        store.checkpoint(keeper.collect(state.position))
        keeper.committed()
        for users in _further_users(state, size):
            store.checkpoint(Changes(position=state.position, rooms={}, streamers={}, users=users))
    finally:
        store.close()
    return state


def _events(size: Size, now_ms: int, generator: np.random.Generator) -> Iterator[Event]:
    """Rooms start, then viewers see, enter and leave them; a few rooms have most of the visits."""
    started_ms = now_ms - generator.integers(125 * _MINUTE_MS, 180 * _MINUTE_MS, size.rooms)
    category, content = (
        generator.integers(0, CATEGORIES, size.rooms),
        generator.normal(size=(size.rooms, CONTENT_WIDTH)),
    )
    for room in range(size.rooms):
        yield Event(
            f"start-{room}",
            EventKind.ROOM_STARTED,
            int(started_ms[room]),
            room_id=f"room-{room}",
            streamer_id=f"streamer-{room}",
            title=f"evening number {room % 97} with streamer {room}",
            category=f"category-{category[room]}",
            language=f"language-{room % 5}",
            activity=("chatting", "singing", "game")[room % 3],
            viewers=room % 300,
            content=tuple(content[room].tolist()),
            lease_ms=_LEASE_MS,
        )
    count = size.viewers * VISITS_A_VIEWER
    rooms = (size.rooms * generator.random(count) ** 3).astype(np.int64)
    times_ms = np.sort(now_ms - generator.integers(12 * _MINUTE_MS, 120 * _MINUTE_MS, count))
    for number, (room, time_ms) in enumerate(zip(rooms.tolist(), times_ms.tolist(), strict=True)):
        yield from _visit(number, number % size.viewers, room, time_ms)


def _visit(number: int, viewer: int, room: int, time_ms: int) -> Iterator[Event]:
    who: dict[str, Any] = {"user_id": viewer_id(viewer), "room_id": f"room-{room}", "streamer_id": f"streamer-{room}"}
    yield Event(f"i{number}", EventKind.IMPRESSION, time_ms, **who)
    yield Event(f"e{number}", EventKind.ENTER, time_ms + 1_000, **who)
    if number % 3 == 0:
        yield Event(f"l{number}", EventKind.LIKE, time_ms + 9_000, **who)
    if number % 25 == 0:
        yield Event(f"f{number}", EventKind.FOLLOW, time_ms + 20_000, **who)
    yield Event(f"x{number}", EventKind.LEAVE, time_ms + 90_000, watch_ms=89_000, **who)


def _give_past(state: State, generator: np.random.Generator) -> None:
    """Gives streamers the lifetime counts of earlier months, without their events."""
    streamers = state.streamers.fields
    rows = np.flatnonzero(streamers["key"])
    old = generator.random(len(rows)) >= NEWCOMERS
    streamers["total.enter"][rows] += np.where(old, 100 + generator.lognormal(7, 1.5, len(rows)), 0).astype(np.int64)
    streamers["total.rooms"][rows] += np.where(old, generator.integers(10, 400, len(rows)), 0)


def _further_users(state: State, size: Size, chunk: int = 20_000) -> Iterator[dict[int, StoredUser]]:
    """Users with the histories of the viewers, in turn, under ids of their own."""
    records, pairs = _templates(state, size)
    for first in range(size.viewers, size.known_users, chunk):
        users: dict[int, StoredUser] = {}
        for number in range(first, min(first + chunk, size.known_users)):
            user_id, key = f"user-{number}", key_of("user", f"user-{number}")
            record = records[number % len(records)]
            record["key"] = key
            users[key] = StoredUser(user_id, record.tobytes(), pairs[number % len(records)])
        yield users


def _templates(state: State, size: Size) -> tuple[list[NDArray[np.void]], list[bytes]]:
    """Records [1] of viewers, and their pairs: a few visits each, as most users of a platform have."""
    dtype = state.dtypes[Entity.USER]
    records: list[NDArray[np.void]] = []
    pairs: list[bytes] = []
    for viewer in range(min(size.viewers, 100)):
        key = key_of("user", viewer_id(viewer))
        record = np.frombuffer(state.users.get(key) or b"", dtype).copy()
        record["watched"][..., 5:] = 0
        record["seen"][..., 5:] = 0
        records.append(record)
        pairs.append(state.pairs[key].all()[:5].tobytes())
    return records, pairs
