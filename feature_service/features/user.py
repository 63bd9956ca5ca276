"""Features of the user: lifetime and recent behaviour, and the rooms watched last."""

from typing import Any

from numpy.typing import NDArray

from feature_service.features import signals
from feature_service.features.events import Event, EventKind
from feature_service.features.families import decayed, totals
from feature_service.features.reducers import Entity, Entry, Recent
from feature_service.features.schema import Encoding, Feature, Side
from feature_service.features.view import View

WATCHED_LENGTH = 50
SEEN_LENGTH = 64


def _dwell_ms(event: Event) -> int:
    return event.watch_ms


def _none(event: Event) -> int:  # noqa: ARG001
    return 0


WATCHED = Recent(
    Entity.USER, "watched", WATCHED_LENGTH, (EventKind.ENTER, EventKind.LEAVE), amount=_dwell_ms, distinct=True
)
"""Rooms watched last: the time of the last sign of the visit, and the dwell once the viewer has left."""

SEEN = Recent(Entity.USER, "seen", SEEN_LENGTH, (EventKind.IMPRESSION,), amount=_none, distinct=False)
"""Impressions, newest first."""


def _id(view: View) -> NDArray[Any]:
    return view.user_keys


def _watched_streamer(view: View) -> NDArray[Any]:
    return view.user["watched"][:, Entry.STREAMER]


def _watched_category(view: View) -> NDArray[Any]:
    return view.user["watched"][:, Entry.CATEGORY]


def _watched_dwell_s(view: View) -> NDArray[Any]:
    return view.user["watched"][:, Entry.AMOUNT] / 1000


def _watched_age_minutes(view: View) -> NDArray[Any]:
    return view.user.minutes_since(view.user["watched"][:, Entry.TIME_MS])


FEATURES: list[Feature] = [
    Feature(
        name="user.id",
        side=Side.USER,
        doc="The user.",
        unit="key",
        encoding=Encoding.ID,
        vocabulary="user",
        value=_id,
    ),
    Feature(
        name="user.watched.streamer",
        side=Side.USER,
        doc="Streamers of the rooms watched last, newest first.",
        unit="key",
        encoding=Encoding.ID,
        vocabulary="streamer",
        length=WATCHED_LENGTH,
        value=_watched_streamer,
        memories=(WATCHED,),
    ),
    Feature(
        name="user.watched.category",
        side=Side.USER,
        doc="Categories of the rooms watched last.",
        unit="key",
        encoding=Encoding.ID,
        vocabulary="category",
        length=WATCHED_LENGTH,
        value=_watched_category,
        memories=(WATCHED,),
    ),
    Feature(
        name="user.watched.dwell_s",
        side=Side.USER,
        doc="Watched time of those visits; 0 while the viewer is there.",
        unit="seconds",
        encoding=Encoding.LOG,
        length=WATCHED_LENGTH,
        value=_watched_dwell_s,
        memories=(WATCHED,),
    ),
    Feature(
        name="user.watched.age_minutes",
        side=Side.USER,
        doc="Minutes since the last sign of those visits.",
        unit="minutes",
        encoding=Encoding.LOG,
        length=WATCHED_LENGTH,
        value=_watched_age_minutes,
        memories=(WATCHED,),
    ),
    *totals(Entity.USER, signals.ALL),
    *decayed(Entity.USER, signals.TASTE),
]
