"""The history of rooms: what each was like from when to when, followed along a log, and saved on the way."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_service.features.catalog import Catalog
from feature_service.features.events import Event
from feature_service.features.layout import Layout
from feature_service.features.records import Table, migrate
from feature_service.live.table import LiveTable
from training.data.room_versions import Version, VersionBuilder, VersionCollector
from training.data.samples import RoomVersions
from training.data.service_log import FollowedState
from training.data.sources import order_ms

Arrays = Mapping[str, NDArray[Any]]

_OPEN = -1
"""The end of a version that still holds."""


class RoomHistory:
    """The records of rooms and streamers as after the events so far, and the rooms' newest versions.

    Memory holds a record for every streamer who ever broadcast or was watched (half a kB), and the versions.
    """

    def __init__(self, catalog: Catalog) -> None:
        """Starts from nothing; `catalog` says what the records remember."""
        self._catalog = catalog
        self._followed = FollowedState(catalog, viewers=False)
        self._collector = self._collecting()
        self._ended: list[Version] = []

    def seed(self, history: str | Path, first: int) -> None:
        """Takes in what the service was seeded with; see `FollowedState.seed`.

        Raises:
            DataError: As there.
        """
        self._followed.seed(history, first)

    def apply(self, event: Event) -> None:
        """Takes the next event in."""
        row = self._followed.apply(event, lambda key: self._collector.close(key, order_ms(event)))
        if row is not None:
            self._collector.learn(event, row)

    def of(self, start_ms: int, end_ms: int, layout: Layout) -> tuple[RoomVersions, RoomVersions]:
        """The versions that ended from one time on and before another, and those that began and go on beyond.

        Args:
            start_ms: Unix milliseconds.
            end_ms: Unix milliseconds.
            layout: The columns.
        """
        self._collect()
        known = [*self._ended, *self._collector.held()]
        builder = VersionBuilder(self._catalog, layout, self._followed.state)
        return (
            builder.build([version for version in known if start_ms <= version.stop_ms < end_ms]),
            builder.build([version for version in known if version.start_ms < end_ms <= version.stop_ms]),
        )

    def records(self, rooms: Iterable[int], streamers: Iterable[int]) -> tuple[NDArray[np.void], NDArray[np.void]]:
        """The records of rooms and of streamers by their keys, as after the events so far, of those that have one."""
        state = self._followed.state
        return state.rooms.select(rooms), state.streamers.select(streamers)

    def forget(self, before_ms: int) -> None:
        """Lets go of the versions that ended before a time."""
        self._collect()
        self._ended = [version for version in self._ended if version.stop_ms >= before_ms]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All of it, for `restored`."""
        self._collect()
        state, told_ms = self._followed.state, self._followed.live.told_ms
        rooms = state.rooms.all()
        versions = [*self._ended, *(replace(each, stop_ms=_OPEN) for each in self._collector.held())]
        times_ms = [(each.key, each.start_ms, each.lease_ms, each.stop_ms) for each in versions]
        return {
            "rooms": rooms,
            "told_ms": np.array([told_ms.get(key, 0) for key in rooms["key"].tolist()], np.int64),
            "streamers": state.streamers.all(),
            "sweep_ms": np.array(self._followed.sweep_ms, np.int64),
            "versions": np.array(times_ms, np.int64).reshape(-1, 4),
            "version_rooms": _records(state.rooms, [each.room for each in versions]),
            "version_streamers": _records(state.streamers, [each.streamer for each in versions]),
        }

    def restore(self, arrays: Arrays) -> None:
        """Goes on from what `arrays` of another history said; of an earlier catalogue's records, what still counts."""
        state = self._followed.state
        state.rooms.put(migrate(arrays["rooms"], state.rooms.dtype))
        state.streamers.put(migrate(arrays["streamers"], state.streamers.dtype))
        told_ms = dict(zip(arrays["rooms"]["key"].tolist(), arrays["told_ms"].tolist(), strict=True))
        self._followed.live = LiveTable(state, told_ms)
        self._followed.sweep_ms = int(arrays["sweep_ms"])
        self._collector = self._collecting()
        rooms = _copies(state.rooms, arrays["version_rooms"])
        streamers = _copies(state.streamers, arrays["version_streamers"])
        versions = [
            Version(key, room, streamer, start_ms, lease_ms, trace=[], stop_ms=stop_ms)
            for (key, start_ms, lease_ms, stop_ms), room, streamer in zip(
                arrays["versions"].tolist(), rooms, streamers, strict=True
            )
        ]
        self._ended = [version for version in versions if version.stop_ms != _OPEN]
        self._collector.restore(version for version in versions if version.stop_ms == _OPEN)

    def _collecting(self) -> VersionCollector:
        return VersionCollector(self._catalog, self._followed.state, self._followed.live)

    def _collect(self) -> None:
        self._ended += self._collector.take()


def _records(table: Table, copies: Sequence[NDArray[np.uint8]]) -> NDArray[np.void]:
    """Copies of a table's records as records, [n]."""
    return np.frombuffer(b"".join(copy.tobytes() for copy in copies), table.dtype)


def _copies(table: Table, records: NDArray[np.void]) -> list[NDArray[np.uint8]]:
    """The inverse of `_records`."""
    present = migrate(records, table.dtype)
    return list(np.frombuffer(present.tobytes(), np.uint8).reshape(len(present), 1, table.dtype.itemsize))
