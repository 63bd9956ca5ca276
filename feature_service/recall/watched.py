"""The channel `watched`: rooms on air of streamers that the user has watched before.

Most visits on live platforms go to known streamers, and a rule without training is hard to beat there. Ours is

    √(visits / broadcasts) · (1 + 2 · habit) · (1 − 0.8 · 2^(−age / 6 h)),

* visits: the user's to the streamer, decayed at the longest half-life of pairs (7 days), and a quarter of the lifetime
  count; over the streamer's broadcasts, so that who is seldom on air is not behind who always is;
* habit, 0 to 1: how near the present time of day is to that of the last visits. People watch a streamer at their hour;
* age: time since the user was last with the streamer. Who has just left comes back tomorrow rather than at once.

The form and its numbers were chosen on the visits of the validation steps of LiveRec's Twitch file: NDCG@10 over the
rooms live then is .542; .535 without habit, .519 without pause, .537 without broadcasts, .508 with none of them. The
published rule of KuaiLive (recency of the last ten visits, visit count, popularity) has .484. The optimum is flat.
"""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from feature_service.features.records import Table
from feature_service.features.reducers import Entry
from feature_service.recall.found import best, nothing
from feature_service.recall.visits import recent_visits
from feature_service.stages import Recalled, Request, World

NAME = "watched"

LIFETIME_WEIGHT = 0.25
"""What a visit of long ago counts against one of now."""

BROADCASTS_PRIOR = 5.0
"""Broadcasts that every streamer is given in advance."""

HABIT_WEIGHT = 2.0
HABIT_CONCENTRATION = 1.0
"""κ of the von Mises kernel e^(κ (cos θ − 1)) on the clock of 24 hours: half as much 4.8 hours away."""

HABIT_PRIOR = 0.47
"""The habit of a streamer without a visit among the last ones: the kernel's mean over the day, e^(−κ) I₀(κ),"""

HABIT_PRIOR_VISITS = 2.0
"""which counts as much as so many visits."""

PAUSE_DEPTH = 0.8
PAUSE_HALF_LIFE_MS = 6 * 3_600_000

_DAY_MS = 86_400_000


class Watched:
    """Rooms of streamers that the user was with."""

    waits: ClassVar[bool] = False

    async def recall(self, request: Request, world: World, limit: int) -> Recalled:
        """At most `limit` rooms, best first; none for a user without a history."""
        pairs = world.state.pairs.get(request.user_key)
        if pairs is None:
            return nothing(NAME)
        pair_rows = np.flatnonzero(pairs.fields["watched_ms"] > 0)
        rows = world.live.rows_of_streamers(pairs.fields["key"][pair_rows], request.now_ms)
        on_air = np.flatnonzero(rows)
        rows, pair_rows = rows[on_air], pair_rows[on_air]
        relation, now_ms = pairs.fields, request.now_ms
        visits = recent_visits(pairs, pair_rows, now_ms) + LIFETIME_WEIGHT * relation["total.enter"][pair_rows]
        broadcasts = world.state.streamers.fields["total.rooms"][world.live.streamer_rows(rows)]
        pause = np.exp2((relation["watched_ms"][pair_rows] - now_ms) / PAUSE_HALF_LIFE_MS)
        scores = (
            np.sqrt(visits / (broadcasts + BROADCASTS_PRIOR))
            * (1 + HABIT_WEIGHT * _habit(request, world, pairs, pair_rows))
            * (1 - PAUSE_DEPTH * pause)
        )
        return best(NAME, rows, scores.astype(np.float32), limit)


def _habit(request: Request, world: World, pairs: Table, pair_rows: NDArray[np.intp]) -> NDArray[np.float64]:
    """How near the time of day is to that of the user's last visits to each streamer, 0 to 1, float64 [n]."""
    users = world.state.users
    visited = users.fields["watched"][users.find(request.user_key)]
    angles = (visited[Entry.TIME_MS] - request.now_ms) * (2 * np.pi / _DAY_MS)
    nearness = np.exp(HABIT_CONCENTRATION * (np.cos(angles) - 1))
    whose = pairs.find_all(visited[Entry.STREAMER])  # Row 0, of the empty places, is nobody's.
    near = np.bincount(whose, nearness, len(pairs.fields["key"]))[pair_rows]
    visits = np.bincount(whose, None, len(pairs.fields["key"]))[pair_rows]
    return (near + HABIT_PRIOR_VISITS * HABIT_PRIOR) / (visits + HABIT_PRIOR_VISITS)
