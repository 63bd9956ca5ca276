"""Events: what happens on the platform, as every driver (service, replay, stream) sees it."""

import math
from collections.abc import Callable, Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import NamedTuple

AttributeValue = str | float | tuple[float, ...]

NO_ATTRIBUTES: Mapping[str, AttributeValue] = MappingProxyType({})


class EventKind(IntEnum):
    """What happened; numbers as in `protos/onair/v1/event.proto`."""

    IMPRESSION = 1
    ENTER = 2
    LEAVE = 3
    LIKE = 4
    COMMENT = 5
    GIFT = 6
    FOLLOW = 7
    UNFOLLOW = 8
    SHARE = 9
    NOT_INTERESTED = 10
    BLOCK = 11
    UNBLOCK = 12
    ROOM_STARTED = 20
    ROOM_UPDATED = 21
    ROOM_ENDED = 22
    ROOM_BLOCKED = 23
    USER_UPDATED = 30
    STREAMER_UPDATED = 31
    USER_ERASED = 32


class Event(NamedTuple):
    """One event. Ids are the platform's strings; an empty string, zero or an empty tuple means "not given".

    Attributes:
        event_id: Unique; a repeat within `MAX_LATENESS_MS` is a duplicate.
        kind: What happened.
        time_ms: When it happened, Unix milliseconds, UTC.
        user_id: The viewer.
        room_id: The broadcast.
        streamer_id: Who broadcasts.
        request_id: The Recommend answer that the event follows.
        position: 0-based place in the slate (impression).
        propensity: Probability with which the policy showed the room there, (0, 1]; 0 = not logged.
        watch_ms: Watched time of the visit that ends (leave), milliseconds.
        gift_value: In the platform's currency (gift).
        scene: Where in the app.
        device: The viewer's device.
        network: The viewer's network.
        region: The viewer's region.
        sampled: The room was not seen but drawn among those live then (a history without impressions).
        title: The room's title.
        category: The room's or the streamer's category.
        language: The room's language.
        activity: What happens in the room now: singing, dancing, chatting, game, pk.
        viewers: Absolute number of viewers in the room; -1 = not given.
        content: Content vector of the room, from any upstream encoder.
        lease_ms: How long the room stays on air without a renewal, milliseconds; 0 = the setting.
        attributes: Values of attributes declared in the settings.
        received_ms: When it was acknowledged, Unix milliseconds; 0 = as it happened.
    """

    event_id: str
    kind: EventKind
    time_ms: int
    user_id: str = ""
    room_id: str = ""
    streamer_id: str = ""
    request_id: str = ""
    position: int = -1
    propensity: float = 0.0
    watch_ms: int = 0
    gift_value: float = 0.0
    scene: str = ""
    device: str = ""
    network: str = ""
    region: str = ""
    sampled: bool = False
    title: str = ""
    category: str = ""
    language: str = ""
    activity: str = ""
    viewers: int = -1
    content: tuple[float, ...] = ()
    lease_ms: int = 0
    attributes: Mapping[str, AttributeValue] = NO_ATTRIBUTES
    received_ms: int = 0


MAX_LATENESS_MS = 3_600_000
"""An event that is received later than this after it happened is `late`: logged, but joined in batch only."""

MAX_AHEAD_MS = 5_000
"""How far an event's time may lie ahead of the service's clock (clocks of phones and servers differ)."""

MAX_ID_BYTES = 256

MAX_TEXT = 1_000
"""Characters of a title, a category and the like."""

MAX_SPAN_MS = 366 * 86_400_000
"""The longest visit and the longest lease: a year, so that sums and times stay far within 64 bits."""

_VIEWER = ("user_id", "room_id", "streamer_id")
_ROOM = ("room_id", "streamer_id")

REQUIRED: Mapping[EventKind, tuple[str, ...]] = MappingProxyType(
    {
        EventKind.IMPRESSION: _VIEWER,
        EventKind.ENTER: _VIEWER,
        EventKind.LEAVE: _VIEWER,
        EventKind.LIKE: _VIEWER,
        EventKind.COMMENT: _VIEWER,
        EventKind.GIFT: _VIEWER,
        EventKind.SHARE: _VIEWER,
        EventKind.NOT_INTERESTED: _VIEWER,
        EventKind.FOLLOW: ("user_id", "streamer_id"),
        EventKind.UNFOLLOW: ("user_id", "streamer_id"),
        EventKind.BLOCK: ("user_id", "streamer_id"),
        EventKind.UNBLOCK: ("user_id", "streamer_id"),
        EventKind.ROOM_STARTED: _ROOM,
        EventKind.ROOM_UPDATED: _ROOM,
        EventKind.ROOM_ENDED: ("room_id",),
        EventKind.ROOM_BLOCKED: ("room_id",),
        EventKind.USER_UPDATED: ("user_id",),
        EventKind.STREAMER_UPDATED: ("streamer_id",),
        EventKind.USER_ERASED: ("user_id",),
    }
)
"""The ids that an event of each kind must carry."""


def is_late(event: Event) -> bool:
    """Whether the event was received too late for the records; the same answer in every driver."""
    return event.received_ms - event.time_ms > MAX_LATENESS_MS


def problem(event: Event, now_ms: int) -> str | None:
    """Says what is wrong with an event, or None.

    Args:
        event: The event; its streamer id may have been filled in from its room.
        now_ms: The clock, Unix milliseconds. A future time is refused beyond `MAX_AHEAD_MS`.

    Returns:
        One line that names the field, with what was expected and received; None when the event is good.
    """
    for check in _CHECKS:
        found = check(event, now_ms)
        if found:
            return found
    return None


def _ids(event: Event, now_ms: int) -> str | None:  # noqa: ARG001
    if not event.event_id:
        return "event_id: expected a unique id, received an empty string"
    for name in REQUIRED[event.kind]:
        if not getattr(event, name):
            return f"{name}: expected an id for {event.kind.name.lower()}, received an empty string"
    for name in ("event_id", "user_id", "room_id", "streamer_id", "request_id"):
        size = len(getattr(event, name).encode())
        if size > MAX_ID_BYTES:
            return f"{name}: expected at most {MAX_ID_BYTES} bytes, received {size}"
    return None


def _time(event: Event, now_ms: int) -> str | None:
    if event.time_ms <= 0:
        return f"time_ms: expected Unix milliseconds, received {event.time_ms}"
    ahead_ms = event.time_ms - now_ms
    if ahead_ms > MAX_AHEAD_MS:
        return f"time_ms: expected at most {MAX_AHEAD_MS} ms ahead of the clock, received {ahead_ms} ms"
    return None


def _amounts(event: Event, now_ms: int) -> str | None:  # noqa: ARG001
    for name in ("watch_ms", "lease_ms"):
        if not 0 <= getattr(event, name) <= MAX_SPAN_MS:
            return f"{name}: expected 0 to {MAX_SPAN_MS}, received {getattr(event, name)}"
    for name in ("position", "viewers"):
        if not -1 <= getattr(event, name) < 2**31:
            return f"{name}: expected 0 to {2**31 - 1}, received {getattr(event, name)}"
    if not (math.isfinite(event.gift_value) and 0 <= event.gift_value < 2**31):
        return f"gift_value: expected a finite value of 0 or more, received {event.gift_value}"
    if not 0 <= event.propensity <= 1:
        return f"propensity: expected 0 to 1, received {event.propensity}"
    if not all(map(math.isfinite, event.content)):
        return "content: expected finite numbers, received nan or infinity"
    return None


def _texts(event: Event, now_ms: int) -> str | None:  # noqa: ARG001
    for name in ("scene", "device", "network", "region", "title", "category", "language", "activity"):
        size = len(getattr(event, name))
        if size > MAX_TEXT:
            return f"{name}: expected at most {MAX_TEXT} characters, received {size}"
    return None


_CHECKS: tuple[Callable[[Event, int], str | None], ...] = (_ids, _time, _amounts, _texts)
