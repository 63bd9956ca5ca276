"""Moments: what has just happened in rooms on air, for people to look in."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from feature_service.compose import HEATING_LIFT, HEATING_VISITS
from feature_service.features.facts import RoomFacts
from feature_service.features.state import State
from feature_service.live.table import Rows
from feature_service.recall.heat import Heat

MOST_OF_A_KIND = 8
RECENT_MS = 600_000


class MomentKind(IntEnum):
    """What happened."""

    HEATING_UP = 1
    STARTED = 2
    ACTIVITY_CHANGED = 3


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that has just happened in a room.

    Attributes:
        kind: What.
        facts: The room's words.
        lift: The rate of the last minute over that of the last ten.
        age_ms: Since then; None = it goes on.
    """

    kind: MomentKind
    facts: RoomFacts
    lift: float
    age_ms: int | None


def moments(state: State, rows: Rows, now: Heat, now_ms: int) -> list[Moment]:
    """The most striking ones: rooms that heat up, by lift; what was started or changed lately, newest first.

    Args:
        state: The records.
        rows: Rows of the rooms on air, [n].
        now: Their heat, [n].
        now_ms: Unix milliseconds.
    """
    fields, lift = state.rooms.fields, now.lift()
    hot = np.flatnonzero((now.minute >= HEATING_VISITS) & (lift >= HEATING_LIFT))
    hot = hot[np.argsort(-lift[hot], kind="stable")][:MOST_OF_A_KIND]
    told = [_moment(state, int(rows[i]), MomentKind.HEATING_UP, float(lift[i]), None) for i in hot.tolist()]
    started_ms = fields["started_ms"][rows]
    changed_ms = np.where(fields["given_ms.activity"][rows] > started_ms, fields["given_ms.activity"][rows], 0)
    for kind, times_ms in ((MomentKind.ACTIVITY_CHANGED, changed_ms), (MomentKind.STARTED, started_ms)):
        recent = np.flatnonzero(times_ms > now_ms - RECENT_MS)
        recent = recent[np.argsort(-times_ms[recent], kind="stable")][:MOST_OF_A_KIND]
        told += [_moment(state, int(rows[i]), kind, float(lift[i]), now_ms - int(times_ms[i])) for i in recent.tolist()]
    return told


def _moment(state: State, row: int, kind: MomentKind, lift: float, age_ms: int | None) -> Moment:
    facts = state.facts.rooms.get(int(state.rooms.fields["key"][row])) or RoomFacts("")
    return Moment(kind, facts, lift, age_ms)
