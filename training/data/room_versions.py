"""Room versions: collects what the room tower sees of each room, from start to end."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_service.features.catalog import Catalog
from feature_service.features.events import Event, EventKind
from feature_service.features.layout import CANDIDATE_TENSORS, Layout
from feature_service.features.reducers import Entity
from feature_service.features.schema import Feature, key_of
from feature_service.features.state import State
from feature_service.features.tensors import TensorBuilder
from feature_service.features.view import Columns, Context, View
from feature_service.live.table import LiveTable
from training.data.captured import Records, captured
from training.data.samples import RoomVersions

CARRIED = (
    "streamer.id",
    "streamer.category",
    "streamer.attribute.*",
    "room.category",
    "room.language",
    "room.activity",
    "room.title",
    "room.content",
    "room.attribute.*",
)
"""Features that make a new version when they change; counts of the streamer change with every event and do not."""

REFRESH_MS = 3_600_000
"""A renewal after so long makes a new version in any case, which takes in the streamer's counts of that moment.

They are lifetime counts, which models read as logarithms: an hour changes little, and each version costs a slate."""

_OFF = (EventKind.ROOM_ENDED, EventKind.ROOM_BLOCKED)


_Trace = list[int | float | bytes]


@dataclass(slots=True)
class Version:
    """What one room was like for a while.

    Attributes:
        key: The room's.
        room: Copy of its record, uint8 [1, bytes].
        streamer: Copy of its streamer's record.
        start_ms: From when.
        lease_ms: When the room goes off air unrenewed.
        trace: The record fields whose change ends the version.
        stop_ms: Until when, once that is known.
    """

    key: int
    room: Records
    streamer: Records
    start_ms: int
    lease_ms: int
    trace: _Trace
    stop_ms: int = 0


class VersionCollector:
    """Follows the rooms of a state; closed versions wait to be taken."""

    def __init__(self, catalog: Catalog, state: State, live: LiveTable) -> None:
        self._state = state
        self._live = live
        self._open: dict[int, Version] = {}
        self._closed: list[Version] = []
        carried = [feature for feature in catalog.features if any(fnmatchcase(feature.name, each) for each in CARRIED)]
        self._room_fields = _fields(carried, Entity.ROOM)
        self._streamer_fields = _fields(carried, Entity.STREAMER)

    def learn(self, event: Event, row: int) -> None:
        """Follows a room event that state and live table have taken in; `row` is the room's."""
        key = key_of("room", event.room_id)
        held = self._open.get(key)
        if event.kind in _OFF:
            self.close(key, event.time_ms)
            return
        streamer_row = self._state.streamers.find(self._state.rooms.fields["streamer"].item(row))
        trace = self._trace(row, streamer_row)
        if held is not None:
            renewed = event.time_ms < held.lease_ms
            if renewed:
                held.lease_ms = self._state.rooms.fields["lease_until_ms"].item(row)
                if trace == held.trace and event.time_ms - held.start_ms < REFRESH_MS:
                    return
            self.close(key, event.time_ms)
        if self._live.on_air(row, event.time_ms):
            self._open[key] = self._version(key, row, streamer_row, event.time_ms, trace)

    def close(self, key: int, now_ms: int) -> None:
        """Ends a room's version now, or when its lease ran out; no version, nothing to do."""
        version = self._open.pop(key, None)
        if version is not None:
            version.stop_ms = max(version.start_ms, min(now_ms, version.lease_ms))
            self._closed.append(version)

    def close_all(self) -> None:
        """Ends all versions where their leases run out."""
        for key in list(self._open):
            self.close(key, self._open[key].lease_ms)

    def take(self) -> list[Version]:
        """The versions that were closed since the last call."""
        closed, self._closed = self._closed, []
        return closed

    def held(self) -> list[Version]:
        """The versions that still hold, with the end of their leases as their end."""
        return [replace(version, stop_ms=max(version.start_ms, version.lease_ms)) for version in self._open.values()]

    def restore(self, held: Iterable[Version]) -> None:
        """Takes versions up again that `held` has given, whose traces are not known."""
        rooms, streamers = self._state.rooms, self._state.streamers
        for version in held:
            trace = [_held(rooms.column(version.room, name), 0) for name in self._room_fields]
            trace += [_held(streamers.column(version.streamer, name), 0) for name in self._streamer_fields]
            self._open[version.key] = replace(version, trace=trace)

    def _version(self, key: int, row: int, streamer_row: int, now_ms: int, trace: _Trace) -> Version:
        state = self._state
        return Version(
            key=key,
            room=state.rooms.gather(np.array([row])),
            streamer=state.streamers.gather(np.array([streamer_row])),
            start_ms=now_ms,
            lease_ms=state.rooms.fields["lease_until_ms"].item(row),
            trace=trace,
        )

    def _trace(self, row: int, streamer_row: int) -> _Trace:
        """The record fields that the carried features read."""
        rooms, streamers = self._state.rooms.fields, self._state.streamers.fields
        return [_held(rooms[name], row) for name in self._room_fields] + [
            _held(streamers[name], streamer_row) for name in self._streamer_fields
        ]


class VersionBuilder:
    """Makes versions what the room tower reads of them."""

    def __init__(self, catalog: Catalog, layout: Layout, state: State) -> None:
        """Takes the state whose records the versions are copies of."""
        self._builder = TensorBuilder(catalog, layout.select(CANDIDATE_TENSORS))
        self._state = state

    def build(self, versions: Sequence[Version]) -> RoomVersions:
        """Room versions as of their starts."""
        start_ms = np.array([version.start_ms for version in versions], np.int64)
        view = self._view(versions, start_ms)
        return RoomVersions(
            tensors=self._builder.build(view),
            room=np.array([version.key for version in versions], np.int64),
            streamer=view.room["streamer"],
            start_ms=start_ms,
            stop_ms=np.array([version.stop_ms for version in versions], np.int64),
        )

    def _view(self, versions: Sequence[Version], start_ms: NDArray[np.int64]) -> View:
        """What is read of versions, before a user of whom nothing is known."""
        state, nobody, nothing = self._state, np.zeros(1, np.int64), np.zeros(len(versions), np.intp)
        none = np.zeros(0, np.intp)  # What is joined to nothing: there may be no version.
        rooms = [state.rooms.gather(none), *(each.room for each in versions)]
        streamers = [state.streamers.gather(none), *(each.streamer for each in versions)]
        return View(
            now_ms=nobody,
            contexts=(Context(),),
            user_keys=nobody,
            user=Columns(state.users, nobody, Entity.USER, nobody),
            request=None,
            room=captured(state.rooms, np.concatenate(rooms), Entity.ROOM, start_ms),
            streamer=captured(state.streamers, np.concatenate(streamers), Entity.STREAMER, start_ms),
            pair=Columns(state.no_pairs, nothing, Entity.PAIR, start_ms),
        )


def _held(column: NDArray[Any], row: int) -> int | float | bytes:
    """What a field holds, in a form that is fast to compare."""
    return column.item(row) if column.ndim == 1 else column[row].tobytes()


def _fields(features: list[Feature], entity: Entity) -> tuple[str, ...]:
    """The record fields behind the features of one entity, without the times at which they were given."""
    memories = [memory for feature in features for memory in feature.memories if memory.entity is entity]
    names = [name for memory in memories for name, _, _ in memory.fields()]
    return tuple(dict.fromkeys(name for name in names if not name.startswith("given_ms.")))
