"""The channel `watched`: rooms on air of streamers that the user has watched before.

Most visits on live platforms go to known streamers. The score is the memory rule, which needs no training and beats
sequence models when all live rooms are ranked (published for KuaiLive, with these weights):

    0.45 · recency-decayed last ten visits + 0.45 · normalised visit count + 0.10 · log popularity.

Each part is scaled to a maximum of 1 over the user's streamers on air.
"""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from feature_service.features.reducers import Entry
from feature_service.recall.found import best, nothing
from feature_service.stages import Recalled, Request, World

NAME = "watched"

RECENCY_WEIGHT = 0.45
COUNT_WEIGHT = 0.45
POPULARITY_WEIGHT = 0.10

RECENT_VISITS = 10
RECENCY_DECAY = 0.8
"""What each of the last visits counts against the next newer one. The rule's source names no value; this one lets the
newest visit count as much as the last five of the ten together."""


class Watched:
    """Rooms of streamers that the user was with, by the memory rule."""

    waits: ClassVar[bool] = False

    async def recall(self, request: Request, world: World, limit: int) -> Recalled:
        """At most `limit` rooms, best first; none for a user without a history."""
        pairs = world.state.pairs.get(request.user_key)
        if pairs is None:
            return nothing(NAME)
        pair_rows = np.flatnonzero(pairs.fields["watched_ms"] > 0)
        rows = world.live.rows_of_streamers(pairs.fields["key"][pair_rows], request.now_ms)
        on_air = rows > 0
        rows, pair_rows = rows[on_air], pair_rows[on_air]
        visits = pairs.fields["total.enter"][pair_rows]
        streamer_rows = world.live.streamer_rows(rows)
        popularity = np.log1p(world.state.streamers.fields["total.enter"][streamer_rows])
        scores = (
            RECENCY_WEIGHT * _scaled(_recency(request, world, pairs.fields["key"][pair_rows]))
            + COUNT_WEIGHT * _scaled(visits)
            + POPULARITY_WEIGHT * _scaled(popularity)
        )
        return best(NAME, rows, scores.astype(np.float32), limit)


def _recency(request: Request, world: World, streamer_keys: NDArray[np.int64]) -> NDArray[np.float64]:
    """The decayed weight of each streamer's visits among the user's last ten, float64 [n]."""
    users = world.state.users
    visited = users.fields["watched"][users.find(request.user_key), Entry.STREAMER, :RECENT_VISITS]
    weights = RECENCY_DECAY ** np.arange(len(visited))
    return (streamer_keys[:, None] == visited) @ weights


def _scaled(values: NDArray[np.float64] | NDArray[np.int64]) -> NDArray[np.float64]:
    """The values over their maximum; zeros stay zeros."""
    return values / max(float(values.max(initial=0)), 1e-9)
