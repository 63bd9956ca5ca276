"""The channel `followed`: rooms on air of the streamers that the user follows."""

from typing import ClassVar

import numpy as np

from feature_service.recall.found import nothing
from feature_service.recall.visits import recent_visits
from feature_service.stages import Recalled, Request, World

NAME = "followed"


class Followed:
    """Streamers whom the user visits most come first; of equal ones the newest broadcast.

    The score is the number of the user's visits to the streamer, decayed at the longest half-life of pairs (7 days).
    """

    waits: ClassVar[bool] = False

    async def recall(self, request: Request, world: World, limit: int) -> Recalled:
        """At most `limit` rooms, best first; none for a user who follows nobody."""
        pairs = world.state.pairs.get(request.user_key)
        if pairs is None:
            return nothing(NAME)
        pair_rows = np.flatnonzero(pairs.fields["followed"] > 0)
        rows = world.live.rows_of_streamers(pairs.fields["key"][pair_rows], request.now_ms)
        on_air = np.flatnonzero(rows)
        if not len(on_air):
            return nothing(NAME)
        rows = rows[on_air]
        visits = recent_visits(pairs, pair_rows[on_air], request.now_ms)
        order = np.lexsort((rows, -world.state.rooms.fields["started_ms"][rows], -visits))[:limit]
        return Recalled(NAME, rows[order], visits[order])
