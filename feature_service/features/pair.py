"""Features of a user and a streamer: their history, and how often the room was shown lately."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_service.features import signals
from feature_service.features.events import Event, EventKind
from feature_service.features.families import decayed, totals
from feature_service.features.reducers import Entity, Entry, Highest, Keys, Latest
from feature_service.features.schema import Encoding, Feature, Side
from feature_service.features.user import SEEN
from feature_service.features.view import View


def _time_ms(event: Event) -> int:
    return event.time_ms


def _is_follow(event: Event, keys: Keys) -> int:  # noqa: ARG001
    return int(event.kind is EventKind.FOLLOW)


def _is_block(event: Event, keys: Keys) -> int:  # noqa: ARG001
    return int(event.kind is EventKind.BLOCK)


WATCHED_MS = Highest(Entity.PAIR, "watched_ms", (EventKind.ENTER, EventKind.LEAVE), _time_ms)
FOLLOWED = Latest(Entity.PAIR, "followed", (EventKind.FOLLOW, EventKind.UNFOLLOW), "<i8", _is_follow)
BLOCKED = Latest(Entity.PAIR, "blocked", (EventKind.BLOCK, EventKind.UNBLOCK), "<i8", _is_block)
NOT_INTERESTED_MS = Highest(Entity.PAIR, "not_interested_ms", (EventKind.NOT_INTERESTED,), _time_ms)

RELATION = (WATCHED_MS, FOLLOWED, BLOCKED, NOT_INTERESTED_MS)
"""What channels and filters read of a pair; remembered whatever the features are."""


def _minutes_since_watched(view: View) -> NDArray[Any]:
    return view.pair.minutes_since(view.pair["watched_ms"])


def _room_impressions(view: View) -> NDArray[Any]:
    return _count(view.room["key"], view.for_candidates(view.user["seen"][:, Entry.ROOM]))


def _streamer_impressions(view: View) -> NDArray[Any]:
    return _count(view.room["streamer"], view.for_candidates(view.user["seen"][:, Entry.STREAMER]))


def _count(keys: NDArray[np.int64], seen: NDArray[np.int64]) -> NDArray[np.int64]:
    """How often each key, int64 [N], stands in its row of `seen`, int64 [1 or N, entries]: int64 [N].

    In the one row that a request has, a binary search on both sides takes half the time.
    """
    if len(seen) == 1:
        ordered = np.sort(seen[0])
        return np.searchsorted(ordered, keys, "right") - np.searchsorted(ordered, keys, "left")
    return np.count_nonzero(keys[:, None] == seen, axis=1)


FEATURES: list[Feature] = [
    Feature(
        name="pair.minutes_since_watched",
        side=Side.CANDIDATE,
        doc="Minutes since the user was last in a room of this streamer; 0 = never.",
        unit="minutes",
        encoding=Encoding.LOG,
        value=_minutes_since_watched,
        memories=(WATCHED_MS,),
    ),
    Feature(
        name="pair.watched",
        side=Side.CANDIDATE,
        doc="Whether the user was ever in a room of this streamer.",
        unit="flag",
        encoding=Encoding.FLAG,
        value=lambda view: view.pair["watched_ms"] > 0,
        memories=(WATCHED_MS,),
    ),
    Feature(
        name="pair.followed",
        side=Side.CANDIDATE,
        doc="Whether the user follows the streamer.",
        unit="flag",
        encoding=Encoding.FLAG,
        value=lambda view: view.pair["followed"],
        memories=(FOLLOWED,),
    ),
    Feature(
        name="pair.room_impressions",
        side=Side.CANDIDATE,
        doc="Impressions of the room among the user's last ones.",
        unit="events",
        encoding=Encoding.LOG,
        value=_room_impressions,
        memories=(SEEN,),
    ),
    Feature(
        name="pair.streamer_impressions",
        side=Side.CANDIDATE,
        doc="Impressions of the streamer's rooms among the user's last ones.",
        unit="events",
        encoding=Encoding.LOG,
        value=_streamer_impressions,
        memories=(SEEN,),
    ),
    *totals(Entity.PAIR, signals.BOND),
    *decayed(Entity.PAIR, (signals.ENTER, signals.WATCH_S)),
]
