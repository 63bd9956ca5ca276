"""Composes the slate: a card for each room, with the reason that people read."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from feature_service.features.reducers import Entry
from feature_service.features.state import State
from feature_service.recall import fresh, heat, hot
from feature_service.stages import Ranked, Recalled, Request, World

HEATING_LIFT = 2.0
"""A room is heating up when the rate of the last minute is at least so many times that of the last ten,"""

HEATING_VISITS = 5.0
"""and so many visits (decayed at the 1-minute half-life) come in."""


@dataclass(frozen=True, slots=True)
class Card:
    """One room of the slate.

    Attributes:
        room_id: The platform's id.
        streamer_id: Who broadcasts.
        title: The room's title.
        category: The room's category.
        position: 0-based place in the slate.
        score: The fusion's score; within one answer only.
        reason: Why it is there, for people.
        channels: The channels that found it, in the order of the settings.
        propensity: Probability of being shown there, given the places above; 1 = nothing was left to chance.
    """

    room_id: str
    streamer_id: str
    title: str
    category: str
    position: int
    score: float
    reason: str
    channels: tuple[str, ...]
    propensity: float = 1.0


def compose(
    request: Request,
    world: World,
    ranked: Ranked,
    places: NDArray[np.intp],
    recalled: Sequence[Recalled],
    propensities: NDArray[np.float64],
) -> tuple[Card, ...]:
    """The slate as cards.

    Args:
        request: The request.
        world: The state.
        ranked: The ranked candidates.
        places: The slate: places in `ranked`, in its order, [≤ k].
        recalled: What the channels found.
        propensities: Probability of each place's room, float64 [≤ k].
    """
    rows = ranked.candidates.rows[places]
    facts, room_keys = world.state.facts.rooms, world.state.rooms.fields["key"][rows]
    found = ranked.candidates.ranks[places] >= 0
    brought_by = _brought_by(world, recalled, rows)
    reasons = _reasons(request, world, ranked.candidates.channels, rows, found=found, brought_by=brought_by)
    scores: list[float] = ranked.scores[places].tolist()
    hits: list[list[bool]] = found.tolist()
    chances: list[float] = propensities.tolist()
    return tuple(
        Card(
            room_id=room.room_id,
            streamer_id=room.streamer_id,
            title=room.text("title"),
            category=room.text("category"),
            position=position,
            score=scores[position],
            reason=reasons[position],
            channels=tuple(name for name, hit in zip(ranked.candidates.channels, hits[position], strict=True) if hit),
            propensity=chances[position],
        )
        for position, room in enumerate(facts[key] for key in room_keys.tolist())
    )


def _reasons(
    request: Request,
    world: World,
    channels: tuple[str, ...],
    rows: NDArray[np.intp],
    *,
    found: NDArray[np.bool_],
    brought_by: list[str],
) -> list[str]:
    """The reason of each room: the first that holds, from the user's own to what holds for all, [n].

    Args:
        request: The request.
        world: The state.
        channels: The channels.
        rows: Rows of the slate's rooms, [n].
        found: Which channel found which room, bool [n, channels].
        brought_by: The watched streamer that brought each room; empty = none, [n].
    """
    rooms = world.state.rooms.fields
    streamer_keys, categories = rooms["streamer"][rows].tolist(), rooms["category"][rows].tolist()
    followed, watched = (each.tolist() for each in _bonds(request, world, rooms["streamer"][rows]))
    heating = _heating(world.state, rows, request.now_ms).tolist()
    by_hot, by_fresh = (_found_by(name, channels, found).tolist() for name in (hot.NAME, fresh.NAME))
    favourites = _favourites(world.state, request.user_key)
    reasons: list[str] = []
    for place in range(len(rows)):
        favourite = favourites.get(categories[place], 0)
        if followed[place]:
            reasons.append("followed")
        elif watched[place]:
            reasons.append("watched before")
        elif by_hot[place] and heating[place]:
            reasons.append("heating up now")
        elif by_fresh[place]:
            reasons.append("new here")
        elif brought_by[place]:
            reasons.append(f"because you watched {brought_by[place]}")
        elif favourite != streamer_keys[place] and (name := world.state.facts.streamers.get(favourite)):
            reasons.append(f"because you watched {name}")
        else:
            reasons.append("popular now" if by_hot[place] else "for you")
    return reasons


def _brought_by(world: World, recalled: Sequence[Recalled], rows: NDArray[np.intp]) -> list[str]:
    """The watched streamer that brought each room, by the first channel that names one; empty = none does, [n]."""
    brought_by = np.zeros(len(rows), np.int64)
    for each in recalled:
        if each.because is not None and len(each.rows):
            hits = rows[:, None] == each.rows
            named = np.where(hits.any(axis=1), each.because[hits.argmax(axis=1)], 0)
            brought_by = np.where(brought_by, brought_by, named)
    return [world.state.facts.streamers.get(key, "") for key in brought_by.tolist()]


def _bonds(
    request: Request, world: World, streamer_keys: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which streamers the user follows, and which they have watched, bool [n] each."""
    pairs = world.state.pairs.get(request.user_key)
    if pairs is None:
        return np.zeros(len(streamer_keys), np.bool_), np.zeros(len(streamer_keys), np.bool_)
    pair_rows = pairs.find_all(streamer_keys)
    return pairs.fields["followed"][pair_rows] > 0, pairs.fields["watched_ms"][pair_rows] > 0


def _heating(state: State, rows: NDArray[np.intp], now_ms: int) -> NDArray[np.bool_]:
    """Which rooms have clearly more going on than in the minutes before, bool [n]."""
    now = heat.read(state, rows, now_ms)
    return (now.minute >= HEATING_VISITS) & (now.lift() >= HEATING_LIFT)


def _found_by(name: str, channels: tuple[str, ...], found: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which rooms a channel found, bool [n]; none when the scene does not ask it."""
    return found[:, channels.index(name)] if name in channels else np.zeros(len(found), np.bool_)


def _favourites(state: State, user_key: int) -> dict[int, int]:
    """The streamer whom the user watched longest among the last visits, by category (keys)."""
    visits = state.users.fields["watched"][state.users.find(user_key)]
    watched_ms: dict[tuple[int, int], int] = {}
    for room, streamer, category, dwell_ms in visits[Entry.ROOM :].T.tolist():
        if room and streamer and category:
            watched_ms[category, streamer] = watched_ms.get((category, streamer), 0) + dwell_ms
    favourites: dict[int, int] = {}
    for category, streamer in sorted(watched_ms, key=lambda pair: (-watched_ms[pair], pair)):
        favourites.setdefault(category, streamer)
    return favourites
