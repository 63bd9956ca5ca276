"""Features of the room and its streamer: what it is, how long it is on air, and its heat."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_service.features import signals
from feature_service.features.events import Event, EventKind
from feature_service.features.families import decayed, totals
from feature_service.features.reducers import Entity, Highest, Keys, Latest, Signal, Tally, Total
from feature_service.features.schema import Encoding, Feature, Side, key_of
from feature_service.features.view import View

DEFAULT_LEASE_MS = 180_000
"""How long a room stays on air without a renewal, where neither event nor settings say."""

TITLE_TOKENS = 8

_ON_AIR = (EventKind.ROOM_STARTED, EventKind.ROOM_UPDATED)


def _time_ms(event: Event) -> int:
    return event.time_ms


def _lease_until_ms(event: Event) -> int:
    return event.time_ms + (event.lease_ms or DEFAULT_LEASE_MS)


def _started_ms(event: Event, keys: Keys) -> int:  # noqa: ARG001
    return event.time_ms


def _streamer(event: Event, keys: Keys) -> int | None:  # noqa: ARG001
    return keys.streamer or None


def _category(event: Event, keys: Keys) -> int | None:  # noqa: ARG001
    return keys.category or None


def _language(event: Event, keys: Keys) -> int | None:  # noqa: ARG001
    return key_of("language", event.language) or None


def _activity(event: Event, keys: Keys) -> int | None:  # noqa: ARG001
    return key_of("activity", event.activity) or None


def _viewers(event: Event, keys: Keys) -> int | None:  # noqa: ARG001
    return event.viewers if event.viewers >= 0 else None


def _title(event: Event, keys: Keys) -> NDArray[np.int64] | None:  # noqa: ARG001
    return title_tokens(event.title) if event.title else None


STARTED = Latest(Entity.ROOM, "started_ms", (EventKind.ROOM_STARTED,), "<i8", _started_ms)
STREAMER = Latest(Entity.ROOM, "streamer", _ON_AIR, "<i8", _streamer)
CATEGORY = Latest(Entity.ROOM, "category", _ON_AIR, "<i8", _category)
LANGUAGE = Latest(Entity.ROOM, "language", _ON_AIR, "<i8", _language)
ACTIVITY = Latest(Entity.ROOM, "activity", _ON_AIR, "<i8", _activity)
VIEWERS = Latest(Entity.ROOM, "viewers", _ON_AIR, "<i8", _viewers)
TITLE = Latest(Entity.ROOM, "title", _ON_AIR, "<i8", _title, width=TITLE_TOKENS)
ENDED = Highest(Entity.ROOM, "ended_ms", (EventKind.ROOM_ENDED,), _time_ms)
BLOCKED = Highest(Entity.ROOM, "blocked_ms", (EventKind.ROOM_BLOCKED,), _time_ms)
LEASE = Highest(Entity.ROOM, "lease_until_ms", _ON_AIR, _lease_until_ms)

REGIONS = 16
"""Regions are counted by their key modulo so many: of a hundred regions, each shares its count with a few others."""


def region_place(region: str) -> int:
    """Where a region is counted in `visits_by_region`; -1 for an empty one."""
    return key_of("region", region) % REGIONS if region else -1


VISITS_BY_REGION = Tally(
    Entity.ROOM, "visits_by_region", REGIONS, EventKind.ENTER, lambda event: region_place(event.region)
)

LIFECYCLE = (STARTED, STREAMER, CATEGORY, LANGUAGE, ENDED, BLOCKED, LEASE, VISITS_BY_REGION)
"""What decides whether a room is on air, and in which lists it stands; remembered whatever the features are."""

STREAMER_CATEGORY = Latest(
    Entity.STREAMER, "category", (EventKind.STREAMER_UPDATED, EventKind.ROOM_STARTED), "<i8", _category
)
ROOMS = Signal("rooms", EventKind.ROOM_STARTED, unit="rooms")


def title_tokens(title: str) -> NDArray[np.int64]:
    """Keys of the first `TITLE_TOKENS` tokens of a title, int64 [TITLE_TOKENS], zeros behind.

    A token is a word; text without spaces (Chinese, Japanese, Thai) is cut into pairs of characters.
    """
    tokens = [token for word in title.lower().split() for token in _tokens(word)]
    keys = np.zeros(TITLE_TOKENS, np.int64)
    for i, token in enumerate(tokens[:TITLE_TOKENS]):
        keys[i] = key_of("token", token)
    return keys


def _tokens(word: str) -> list[str]:
    if word.isascii() or len(word) < 3:
        return [word]
    return [word[i : i + 2] for i in range(len(word) - 1)]


def content(width: int) -> Feature:
    """The content vector's feature.

    Args:
        width: Length of the platform's content vectors; shorter or longer ones are refused with the event.
    """

    def given(event: Event, keys: Keys) -> tuple[float, ...] | None:  # noqa: ARG001
        return event.content if len(event.content) == width else None

    return Feature(
        name="room.content",
        side=Side.CANDIDATE,
        doc="Content vector of the room, from any upstream encoder (multimodal, title, cover).",
        unit="1",
        encoding=Encoding.VECTOR,
        width=width,
        value=_content_value,
        memories=tuple(
            Latest(entity, "content", _ON_AIR, "<f4", given, width=width) for entity in (Entity.ROOM, Entity.STREAMER)
        ),
    )


def _content_value(view: View) -> NDArray[Any]:
    return view.room["content"]


def _minutes_on_air(view: View) -> NDArray[Any]:
    return view.room.minutes_since(view.room["started_ms"])


def _key_feature(name: str, doc: str, memory: Latest, width: int = 1) -> Feature:
    def value(view: View) -> NDArray[Any]:
        return view.room[memory.field]

    return Feature(
        name=f"room.{name}",
        side=Side.CANDIDATE,
        doc=doc,
        unit="key",
        encoding=Encoding.ID,
        vocabulary="token" if name == "title" else name,
        width=width,
        value=value,
        memories=(memory,),
    )


FEATURES: list[Feature] = [
    Feature(
        name="streamer.id",
        side=Side.CANDIDATE,
        doc="The streamer.",
        unit="key",
        encoding=Encoding.ID,
        vocabulary="streamer",
        value=lambda view: view.room["streamer"],
        memories=(STREAMER,),
    ),
    Feature(
        name="streamer.category",
        side=Side.CANDIDATE,
        doc="The streamer's category, of the profile or the last room.",
        unit="key",
        encoding=Encoding.ID,
        vocabulary="category",
        value=lambda view: view.streamer["category"],
        memories=(STREAMER_CATEGORY,),
    ),
    _key_feature("category", "The room's category.", CATEGORY),
    _key_feature("language", "The room's language.", LANGUAGE),
    _key_feature("activity", "What happens now: singing, dancing, chatting, game, pk.", ACTIVITY),
    _key_feature("title", "Tokens of the title.", TITLE, width=TITLE_TOKENS),
    Feature(
        name="room.viewers",
        side=Side.CANDIDATE,
        doc="Viewers in the room, as last reported.",
        unit="viewers",
        encoding=Encoding.LOG,
        value=lambda view: view.room["viewers"],
        memories=(VIEWERS,),
    ),
    Feature(
        name="room.minutes_on_air",
        side=Side.CANDIDATE,
        doc="Minutes since the room started.",
        unit="minutes",
        encoding=Encoding.LOG,
        value=_minutes_on_air,
        memories=(STARTED,),
    ),
    Feature(
        name="streamer.rooms.total",
        side=Side.CANDIDATE,
        doc="Rooms that the streamer has started.",
        unit="rooms",
        encoding=Encoding.LOG,
        value=lambda view: view.streamer.total("rooms"),
        memories=(Total(Entity.STREAMER, ROOMS),),
    ),
    *totals(Entity.ROOM, signals.LIVELY),
    *decayed(Entity.ROOM, signals.LIVELY),
    *totals(Entity.STREAMER, signals.ALL),
    *decayed(Entity.STREAMER, signals.TASTE),
]
