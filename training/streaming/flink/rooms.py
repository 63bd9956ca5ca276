"""The rooms' side of an hour: what rooms were like from when to when; by shard, and put together."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from feature_service.features.catalog import Catalog
from feature_service.features.layout import Layout
from feature_service.features.schema import key_of
from feature_service.log.codec import EVENTS
from training.data.hours import HOUR_MS
from training.data.samples import RoomVersions
from training.streaming.flink.columns import columns_of, read_columns
from training.streaming.flink.elements import Element
from training.streaming.flink.parts import Arrays
from training.streaming.flink.records import from_state, to_state
from training.streaming.room_history import RoomHistory


class RoomShard:
    """The history of the rooms of a shard's streamers, led on from what it was."""

    def __init__(self, catalog: Catalog, layout: Layout, state: bytes | None) -> None:
        """Takes up a history.

        Args:
            catalog: What records remember.
            layout: The columns of the samples.
            state: What `state` of the shard said before, perhaps under another catalogue; None = nothing so far.
        """
        self._layout, self._history = layout, RoomHistory(catalog)
        self._rooms: set[int] = set()
        self._streamers: set[int] = set()
        if state is not None:
            self._history.restore(from_state(state))

    def lead(self, elements: Iterable[Element]) -> None:
        """Takes in events, which are in the order of the log."""
        for each in elements:
            event = EVENTS.from_bytes(each.payload)
            self._history.apply(event)
            self._rooms.add(key_of("room", event.room_id))
            self._streamers.add(key_of("streamer", event.streamer_id))

    def arrays(self, number: int) -> Arrays:
        """An hour (since the Unix epoch) as it is known by now."""
        return dict(self._flat(number))

    def records(self) -> Arrays:
        """The records that events have changed: `rooms` and `streamers`, structured, by ascending key."""
        rooms, streamers = self._history.records(sorted(self._rooms), sorted(self._streamers))
        return {"rooms": rooms, "streamers": streamers}

    def forget(self, before: int) -> None:
        """Lets go of what the hours from one on do not need."""
        self._history.forget(before * HOUR_MS)

    def state(self) -> bytes:
        """What to take up the history from."""
        return to_state(self._history.arrays())

    def _flat(self, number: int) -> Iterator[tuple[str, np.ndarray]]:
        ended, carried = self._history.of(number * HOUR_MS, (number + 1) * HOUR_MS, self._layout)
        yield from columns_of("ended", [ended])
        yield from columns_of("carried", [carried])


def together(parts: Sequence[Arrays]) -> tuple[RoomVersions, RoomVersions]:
    """The versions that ended in an hour, and those that go on, of all shards by their starts and rooms."""
    return _versions("ended", parts), _versions("carried", parts)


def _versions(name: str, parts: Sequence[Arrays]) -> RoomVersions:
    found = RoomVersions(**read_columns(name, parts))
    order = np.lexsort((found.room, found.start_ms))
    return RoomVersions(
        {tensor: values[order] for tensor, values in found.tensors.items()},
        found.room[order],
        found.streamer[order],
        found.start_ms[order],
        found.stop_ms[order],
    )
