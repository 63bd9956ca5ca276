"""How simulated viewers go through slates: what they see, enter, and how long they stay."""

from dataclasses import dataclass

import numpy as np

from training.data.simulation.people import Floats, Ints
from training.data.simulation.world import World, sigmoid

SHORT_MS = 3_000
"""A visit shorter than this is an exit at once."""
PATIENCE_MS = 600_000
"""A slate is given up this long after it was asked for."""
_LONGEST_MS = 4 * 3_600_000


@dataclass(frozen=True, slots=True)
class Visits:
    """What happened to slates, N × K.

    Attributes:
        seen: bool [N, K], the viewer saw the room.
        entered: bool [N, K], and entered it.
        seen_ms: int64 [N, K], when it was seen, since the log's start.
        watch_ms: int64 [N, K], how long it was watched; 0 where it was not entered.
        affinity: float64 [N, K], how well the room fits the viewer's taste now.
        heat: float64 [N, K], whether it had a moment when it was seen.
        done_ms: int64 [N], when the viewer put the slate away.
    """

    seen: np.ndarray
    entered: np.ndarray
    seen_ms: Ints
    watch_ms: Ints
    affinity: Floats
    heat: Floats
    done_ms: Ints


def go_through(
    world: World, users: Ints, rooms: Ints, asked_ms: Ints, loyalty: Floats, rng: np.random.Generator
) -> Visits:
    """Walks all slates from the top: look, perhaps enter and watch, go on or stop.

    A room that has ended meanwhile is passed over unseen.

    Args:
        world: The truth.
        users: int64 [N], rows of viewers.
        rooms: int64 [N, K], rows of rooms in the order shown.
        asked_ms: int64 [N], since the log's start.
        loyalty: float64 [N, K], 0 to 1.
        rng: The source of chance.
    """
    numbers = world.settings.calibration
    shape = rooms.shape
    middle_ms = float(asked_ms.mean())
    affinity = world.affinity(users, rooms, middle_ms)
    logit = world.standing_logit(users, rooms, middle_ms, loyalty) + world.position_logit(np.arange(shape[1]))
    gap_ms = 400 + rng.exponential(numbers.scan_ms, shape).astype(np.int64)
    enter_draw, stay_draw, short_draw = rng.random(shape), rng.random(shape), rng.random(shape)
    spread, short_ms = rng.normal(size=shape), rng.integers(200, SHORT_MS, shape)
    seen, entered, heat = np.zeros(shape, bool), np.zeros(shape, bool), np.zeros(shape)
    seen_ms, watch_ms = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    now_ms, on = asked_ms.copy(), np.ones(len(users), bool)
    for place in range(shape[1]):
        room = rooms[:, place]
        now_ms = now_ms + gap_ms[:, place] * on
        on &= now_ms - asked_ms < PATIENCE_MS
        left_ms = world.rooms.end_ms[room] - now_ms
        see = on & (left_ms > 0)
        warm = world.heat(room, now_ms)
        enter = see & (enter_draw[:, place] < sigmoid(logit[:, place] + world.heat_logit(warm)))
        stretch = numbers.watch_affinity * (affinity[:, place] + 0.5 * warm * world.settings.effects.realtime)
        long_ms = 1000 * numbers.watch_median_s * np.exp(stretch + numbers.watch_sigma * spread[:, place])
        long_ms = np.clip(long_ms, SHORT_MS, _LONGEST_MS).astype(np.int64)
        short = short_draw[:, place] < numbers.short_exit
        stay_ms = np.where(enter, np.minimum(np.where(short, short_ms[:, place], long_ms), left_ms), 0)
        seen[:, place], entered[:, place], heat[:, place] = see, enter, warm
        seen_ms[:, place], watch_ms[:, place] = now_ms, stay_ms
        now_ms = now_ms + stay_ms
        keep = np.where(stay_ms < SHORT_MS, numbers.continue_scan, numbers.continue_watched)
        on &= stay_draw[:, place] < keep
    return Visits(seen, entered, seen_ms, watch_ms, affinity, heat, now_ms)
