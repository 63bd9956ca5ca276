"""A toy platform with an obvious answer: a viewer enters the rooms of one category, and no others."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from feature_service.features.events import Event, EventKind

CATEGORIES = ("music", "games", "talk", "dance")
STREAMERS_A_CATEGORY = 8
VIEWERS = 60
HOURS = 6
SLATE = 6
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
LOG_END_MS = 1_800_000_000_000

SETTINGS = """
[overload]
least_in_flight = 1000

[service]
content_width = 4
model_poll_s = 0.2
deadline_ms = 30000
"""
"""Settings of a service for this platform, with deadlines that a busy machine keeps."""


def viewer(number: int) -> str:
    """The id of a viewer."""
    return f"viewer-{number}"


def taste_of(number: int) -> str:
    """The category that a viewer likes."""
    return CATEGORIES[number % len(CATEGORIES)]


def started(room_id: str, category: str, time_ms: int, **fields: Any) -> Event:
    """A room goes on air; `anna/1` is the first broadcast of `anna`. Its content tells of its category alone."""
    return Event(
        f"start {room_id}",
        EventKind.ROOM_STARTED,
        time_ms,
        room_id=room_id,
        streamer_id=room_id.partition("/")[0],
        category=category,
        title=f"{category} live",
        content=tuple(float(category == each) for each in CATEGORIES),
        **{"lease_ms": 2 * HOUR_MS, **fields},
    )


def log() -> Iterator[Event]:
    """Some hours of the platform, in order of time: rooms of an hour, and a slate for each viewer every ten minutes."""
    rng = np.random.default_rng(5)
    number = itertools.count()
    streamers = [(f"{category}-{n}", category) for category in CATEGORIES for n in range(STREAMERS_A_CATEGORY)]
    for hour in range(HOURS):
        from_ms = LOG_END_MS - (HOURS - hour) * HOUR_MS
        rooms = [(f"{streamer}/{hour}", category) for streamer, category in streamers]
        for room, category in rooms:
            yield started(room, category, from_ms)
        for minute in range(1, 60, 10):
            for each in range(VIEWERS):
                shown = rng.choice(len(rooms), SLATE, replace=False)
                at_ms = from_ms + minute * MINUTE_MS + each * 500
                yield from _slate(each, [rooms[place] for place in shown.tolist()], at_ms, number)
        if hour < HOURS - 1:
            for room, _ in rooms:
                ended_ms = from_ms + HOUR_MS - 1
                yield Event(f"end {room}", EventKind.ROOM_ENDED, ended_ms, room_id=room)


def _slate(each: int, rooms: list[tuple[str, str]], at_ms: int, number: Iterator[int]) -> Iterator[Event]:
    """One slate: what is to the viewer's taste is watched for 90 s, at times with a like."""
    request = f"request-{next(number)}"
    for position, (room, category) in enumerate(rooms):
        who: dict[str, Any] = {"user_id": viewer(each), "room_id": room, "streamer_id": room.partition("/")[0]}
        who |= {"request_id": request, "category": category}
        time_ms = at_ms + position
        yield Event(f"e{next(number)}", EventKind.IMPRESSION, time_ms, position=position, **who)
        if category == taste_of(each):
            yield Event(f"e{next(number)}", EventKind.ENTER, time_ms, **who)
            yield Event(f"e{next(number)}", EventKind.LEAVE, time_ms, watch_ms=90_000, **who)
            if next(number) % 3 == 0:
                yield Event(f"e{next(number)}", EventKind.LIKE, time_ms, **who)


def visits(who: str, category: str, time_ms: int) -> Iterator[Event]:
    """A viewer has watched the known streamers of a category."""
    for n in range(STREAMERS_A_CATEGORY):
        room = f"{category}-{n}/now"
        where: dict[str, Any] = {"user_id": who, "room_id": room, "streamer_id": f"{category}-{n}"}
        where["category"] = category
        yield Event(f"enter {who} {room}", EventKind.ENTER, time_ms, **where)
        yield Event(f"leave {who} {room}", EventKind.LEAVE, time_ms, watch_ms=90_000, **where)
