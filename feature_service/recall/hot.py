"""The channel `hot`: the rooms on air with the most going on now, the same for every user."""

from typing import ClassVar

import numpy as np

from feature_service.recall import heat
from feature_service.recall.found import best, nothing
from feature_service.stages import Recalled, Request, World

NAME = "hot"

REFRESH_MS = 500
"""How long the ranking is kept, on the clock of requests."""

KEPT = 1_000
"""How many rooms of the ranking are kept."""


class Hot:
    """The rooms of the highest heat (`heat.Heat.score`), ranked anew at most every `REFRESH_MS`."""

    waits: ClassVar[bool] = False

    def __init__(self) -> None:
        self._thermometer = heat.Thermometer()
        self._ranking = nothing(NAME)
        self._ranked_ms = -REFRESH_MS

    async def recall(self, request: Request, world: World, limit: int) -> Recalled:
        """At most `limit` rooms, best first; rooms without heat are left out."""
        if not 0 <= request.now_ms - self._ranked_ms < REFRESH_MS:
            self._rank(world, request.now_ms)
        rows, scores = self._ranking.rows, self._ranking.scores
        on_air = world.live.mask(rows, request.now_ms)
        return Recalled(NAME, rows[on_air][:limit], scores[on_air][:limit])

    def _rank(self, world: World, now_ms: int) -> None:
        rows = world.live.rows(now_ms)
        scores = self._thermometer.read(world.state, rows, now_ms).score().astype(np.float32)
        warm = scores > 0
        self._ranking = best(NAME, rows[warm], scores[warm], KEPT)
        self._ranked_ms = now_ms
