"""Elements: what of the logs goes to which shard.

A label needs what one viewer did, and when rooms ended; a room's version what happened to its streamer. So viewers and
streamers are each spread over shards, and a shard does for its hours what the embedded worker does for all. With n
shards a side, those of viewers are 0 to n − 1, those of streamers n to 2n − 1.
"""

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import Any, NamedTuple

from feature_service.features.events import Event, EventKind
from feature_service.features.schema import key_of
from feature_service.log.codec import EVENTS
from feature_service.served.slate import SLATES
from training.data.hours import HOUR_MS
from training.data.sources import order_ms

_ENDS = (EventKind.ROOM_ENDED, EventKind.ROOM_BLOCKED)


class Kind(IntEnum):
    """What an element is."""

    EVENT = 1
    END = 2  # Of a room, for the shards of all viewers.
    SLATE = 3
    TICK = 4  # A new hour, for all shards.


class Element(NamedTuple):
    """What a shard takes in.

    Attributes:
        shard: Which one.
        at_ms: The stream's time: when an event was received or a slate served, Unix milliseconds.
        number: Position in its log.
        kind: Of `Kind`.
        time_ms: When an event happened, as its sender has it, or a slate was served.
        payload: An event's or a slate's bytes.
    """

    shard: int
    at_ms: int
    number: int
    kind: int
    time_ms: int
    payload: bytes


_HEAD = struct.Struct("<iqqbqi")
"""The fields before the payload, and its length in bytes."""


def packed(element: Element) -> bytes:
    """An element as bytes, to which others may be appended."""
    return _HEAD.pack(*element[:-1], len(element.payload)) + element.payload


def unpacked(data: bytes) -> Iterator[Element]:
    """The elements in bytes."""
    place = 0
    while place < len(data):
        shard, at_ms, number, kind, time_ms, length = _HEAD.unpack_from(data, place)
        place += _HEAD.size + length
        yield Element(shard, at_ms, number, kind, time_ms, data[place - length : place])


class EventRouter:
    """Spreads the records of an event log."""

    def __init__(self, shards: int) -> None:
        """Takes how many shards a side has."""
        self._shards, self._hour = shards, 0

    def route(self, record: tuple[int, bytes]) -> Iterator[tuple[Any, ...]]:
        """The elements of a record, which is its position and payload; with a tick for all whenever an hour begins.

        After a restart an hour begins once more, which changes nothing: its moments are still to come.
        """
        number, payload = record
        event = EVENTS.from_bytes(payload)
        at_ms = order_ms(event)
        if at_ms // HOUR_MS > self._hour:
            self._hour = at_ms // HOUR_MS
            yield from (tuple(Element(shard, at_ms, 0, Kind.TICK, at_ms, b"")) for shard in range(2 * self._shards))
        yield from map(tuple, self._elements(number, at_ms, event, payload))

    def _elements(self, number: int, at_ms: int, event: Event, payload: bytes) -> Iterator[Element]:
        """For the shards of its viewer and its streamer, and for all viewers if a room ends."""
        home = key_of("user", event.user_id or event.room_id or event.streamer_id) % self._shards
        element = Element(home, at_ms, number, Kind.EVENT, event.time_ms, payload)
        yield element
        if event.kind in _ENDS:
            others = (shard for shard in range(self._shards) if shard != home)
            yield from (element._replace(shard=shard, kind=Kind.END) for shard in others)
        if owner := event.streamer_id or event.room_id:
            yield element._replace(shard=self._shards + key_of("streamer", owner) % self._shards)


class SlateRouter:
    """Spreads the records of a served log."""

    def __init__(self, shards: int) -> None:
        """Takes how many shards a side has."""
        self._shards = shards

    def route(self, record: tuple[int, bytes]) -> Iterator[tuple[Any, ...]]:
        """The element of a record, which is its position and payload."""
        number, payload = record
        slate = SLATES.from_bytes(payload)
        shard, at_ms = key_of("user", slate.user_id) % self._shards, slate.served_ms
        yield tuple(Element(shard, at_ms, number, Kind.SLATE, at_ms, payload))
