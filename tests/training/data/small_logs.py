"""Hand-written events for the tests of replay and join: one platform, times in seconds after `T0_MS`."""

from typing import Any

from feature_service.features.attributes import Attribute, AttributeKind
from feature_service.features.catalog import Catalog, build_catalog
from feature_service.features.events import Event, EventKind
from feature_service.features.reducers import Entity

T0_MS = 1_746_446_400_000
"""5 May 2025, noon UTC: a Monday."""

END_S = 3 * 3600
"""When a log may end so that all label windows of its first minutes are over."""

CATALOG: Catalog = build_catalog(2, [Attribute(Entity.USER, "age", AttributeKind.NUMBER)])


def ms(seconds: float) -> int:
    """Unix milliseconds of a time after the start."""
    return T0_MS + int(seconds * 1000)


def event(kind: EventKind, seconds: float, event_id: str = "", **fields: Any) -> Event:
    """An event with an id of its own, unless one is given."""
    told = event_id or f"{kind.name}-{seconds}-{fields.get('user_id', '')}-{fields.get('room_id', '')}"
    return Event(told, kind, ms(seconds), **fields)


def started(room: str, seconds: float, **fields: Any) -> Event:
    """A room of the streamer whose name is the room's first letter."""
    given = {"category": "music", "lease_ms": 86_400_000, "streamer_id": f"streamer-{room[0]}"} | fields
    return event(EventKind.ROOM_STARTED, seconds, room_id=room, **given)


def viewer(kind: EventKind, seconds: float, user: str, room: str, request: str = "", **fields: Any) -> Event:
    """What a viewer does in or with a room."""
    return event(
        kind, seconds, user_id=user, room_id=room, streamer_id=f"streamer-{room[0]}", request_id=request, **fields
    )


def seen(seconds: float, user: str, room: str, request: str = "", **fields: Any) -> Event:
    """An impression."""
    return viewer(EventKind.IMPRESSION, seconds, user, room, request, **fields)
