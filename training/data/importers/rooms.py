"""Rooms of imported histories: their starts and ends as events."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from feature_service.features.events import NO_ATTRIBUTES, AttributeValue, Event, EventKind
from training.data.importers.merge import Block
from training.data.importers.tables import ByRow, Ints

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class OpenRooms:
    """Rooms with their lives, R rows.

    Attributes:
        room_id: [R].
        streamer_id: [R].
        start_ms: int64 [R].
        end_ms: int64 [R], exclusive; the log's last moment or later means that the room stays open.
        title: [R].
        category: [R].
        attributes: [R].
        content: Gives the content vector of a row.
    """

    room_id: ByRow[str]
    streamer_id: ByRow[str]
    start_ms: Ints
    end_ms: Ints
    title: ByRow[str] | None = None
    category: ByRow[str] | None = None
    attributes: ByRow[Mapping[str, AttributeValue]] | None = None
    content: Callable[[int], tuple[float, ...]] | None = None


def room_blocks(rooms: OpenRooms, last_ms: int) -> tuple[Block, Block]:
    """The starts and the ends of rooms; those that end after `last_ms` stay open, as the log was cut there."""
    ended = np.flatnonzero(rooms.end_ms <= last_ms)

    def started(row: int) -> Event:
        # A day more than the life keeps open rooms on air for whoever asks as of the log's end.
        return Event(
            f"started-{row}",
            EventKind.ROOM_STARTED,
            int(rooms.start_ms[row]),
            room_id=rooms.room_id[row],
            streamer_id=rooms.streamer_id[row],
            title=rooms.title[row] if rooms.title else "",
            category=rooms.category[row] if rooms.category else "",
            content=rooms.content(row) if rooms.content else (),
            lease_ms=int(rooms.end_ms[row] - rooms.start_ms[row]) + DAY_MS,
            attributes=rooms.attributes[row] if rooms.attributes else NO_ATTRIBUTES,
        )

    def closed(place: int) -> Event:
        row = int(ended[place])
        return Event(
            f"ended-{row}",
            EventKind.ROOM_ENDED,
            int(rooms.end_ms[row]),
            room_id=rooms.room_id[row],
            streamer_id=rooms.streamer_id[row],
        )

    return Block(rooms.start_ms, started), Block(rooms.end_ms[ended], closed)
