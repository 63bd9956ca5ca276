"""The channel `hot`: the rooms on air with the most going on now, above all in the user's region.

A room's score is its heat against what is usual for its streamer (`heat.Heat.score`), times

    1/2 + 1/2 · (share of the room's visits from the user's region) / (share of all visits from there)

when the user's region is known, times min(1, 20 / place in its category by score): the first twenty rooms of each
category count in full, those behind make way for other categories.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from feature_service.features.room import region_place
from feature_service.live.table import Rows
from feature_service.recall import heat
from feature_service.recall.found import best
from feature_service.stages import Recalled, Request, World

NAME = "hot"

REFRESH_MS = 500
"""How long a ranking is kept, on the clock of requests."""

KEPT = 1_000
"""How many rooms of a ranking are kept."""

WARMEST = 2_000
"""How many rooms of the greatest lift · size are compared with their streamers' usual level."""

REGION_WEIGHT = 0.5
REGION_PRIOR_VISITS = 10.0
"""How many visits of the usual mix of regions each room is given in advance."""

CATEGORY_QUOTA = 20
SPARE = 64
"""So many rooms more than asked for are looked at, for some may have ended since the ranking was made."""


@dataclass(frozen=True, slots=True)
class _Warm:
    """The warm rooms at one moment.

    Attributes:
        rows: Rows of rooms, [n].
        scores: Heat against the usual, less behind the quotas of the categories, float64 [n].
        visits: Visits so far, int64 [n].
    """

    rows: Rows
    scores: NDArray[np.float64]
    visits: NDArray[np.int64]


class Hot:
    """The hottest rooms, for each region ranked anew at most every `REFRESH_MS`."""

    waits: ClassVar[bool] = False

    def __init__(self) -> None:
        self._thermometer = heat.Thermometer()
        self._warm: _Warm | None = None
        self._rankings: dict[int, Recalled] = {}
        self._read_ms = -REFRESH_MS

    async def recall(self, request: Request, world: World, limit: int) -> Recalled:
        """At most `limit` rooms, best first; rooms without heat are left out."""
        if self._warm is None or not 0 <= request.now_ms - self._read_ms < REFRESH_MS:
            self._warm, self._read_ms = self._read(world, request.now_ms), request.now_ms
            self._rankings.clear()
        region = region_place(request.context.region)
        ranking = self._rankings.get(region)
        if ranking is None:
            ranking = self._rankings[region] = _rank(self._warm, world, region)
        rows, scores = ranking.rows[: limit + SPARE], ranking.scores[: limit + SPARE]
        on_air = np.flatnonzero(world.live.mask(rows, request.now_ms))[:limit]
        return Recalled(NAME, rows[on_air], scores[on_air])

    def _read(self, world: World, now_ms: int) -> _Warm:
        rows = world.live.rows(now_ms)
        now = self._thermometer.read(world.state, rows, now_ms)
        size = now.lift() * now.ten_minutes
        warmest = np.flatnonzero(size > 0)
        if len(warmest) > WARMEST:
            warmest = np.sort(np.argpartition(size, len(size) - WARMEST)[-WARMEST:])
        rows, now = rows[warmest], heat.Heat(now.minute[warmest], now.ten_minutes[warmest])
        usual = heat.usual_heat(world.state, rows, world.live.streamer_rows(rows), now.ten_minutes)
        rooms, scores = world.state.rooms.fields, now.score(usual)
        scores *= np.minimum(1, CATEGORY_QUOTA / (1 + _places(scores, rooms["category"][rows])))
        return _Warm(rows, scores, rooms["total.enter"][rows])


def _rank(warm: _Warm, world: World, region: int) -> Recalled:
    """The hottest of the warm rooms for a region's place, or for -1 everywhere."""
    scores = warm.scores
    if region >= 0:
        local = world.state.rooms.fields["visits_by_region"][:, region][warm.rows]
        usual = local.sum() / max(warm.visits.sum(), 1)
        shares = (local + REGION_PRIOR_VISITS * usual) / (warm.visits + REGION_PRIOR_VISITS)
        scores = scores * (1 - REGION_WEIGHT + REGION_WEIGHT * shares / max(usual, 1e-9))
    return best(NAME, warm.rows, scores.astype(np.float32), KEPT)


def _places(scores: NDArray[np.float64], categories: NDArray[np.int64]) -> NDArray[np.intp]:
    """The 0-based place of each room among those of its category, intp [n]; ties in the given order."""
    order = np.argsort(-scores, kind="stable")
    # Two bytes of the keys sort many times faster than all eight; categories that share them share a quota.
    codes = categories.astype(np.uint16)[order]
    order = order[np.argsort(codes, kind="stable")]
    codes.sort()
    places = np.empty(len(order), np.intp)
    places[order] = np.arange(len(order)) - np.searchsorted(codes, codes)
    return places
