"""The channel `fresh`: rooms that have just started, and rooms of streamers who are new to the platform.

Behaviour cannot find what nobody has met yet, so the channel gives exposure by lot: every request draws anew, by
weighted sampling without replacement (Efraimidis and Spirakis 2006: the greatest u^(1/w) win, u uniform). A room's
weight w is 1 / √(1 + entries), the entries of all rooms of its streamer so far: most of the exposure goes to those who
had least.
"""

import hashlib
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from feature_service.live.table import Rows
from feature_service.recall.found import best
from feature_service.stages import Recalled, Request, World

NAME = "fresh"

JUST_STARTED_MS = 600_000
NEWCOMER_ENTRIES = 100
"""A streamer with fewer entries ever, or at most `NEWCOMER_ROOMS` broadcasts, is a newcomer."""

NEWCOMER_ROOMS = 3

REFRESH_MS = 500
"""How long the pool is kept, on the clock of requests."""


class Fresh:
    """Draws from the pool of fresh rooms; the request's id is the seed."""

    waits: ClassVar[bool] = False

    def __init__(self) -> None:
        self._rows: Rows = np.zeros(0, np.intp)
        self._handicaps: NDArray[np.float32] = np.zeros(0, np.float32)
        self._pooled_ms = -REFRESH_MS

    async def recall(self, request: Request, world: World, limit: int) -> Recalled:
        """At most `limit` rooms, by lot; the score is log u / w, negative, the higher the better the lot."""
        if not 0 <= request.now_ms - self._pooled_ms < REFRESH_MS:
            self._pool(world, request.now_ms)
        draws = np.random.default_rng(_seed(request)).standard_exponential(len(self._rows), np.float32)
        drawn = best(NAME, self._rows, -draws * self._handicaps, limit)
        on_air = world.live.mask(drawn.rows, request.now_ms)
        return Recalled(NAME, drawn.rows[on_air], drawn.scores[on_air])

    def _pool(self, world: World, now_ms: int) -> None:
        rows = world.live.rows(now_ms)
        streamers, streamer_rows = world.state.streamers.fields, world.live.streamer_rows(rows)
        entries = streamers["total.enter"][streamer_rows]
        just_started = world.state.rooms.fields["started_ms"][rows] > now_ms - JUST_STARTED_MS
        newcomer = (entries < NEWCOMER_ENTRIES) | (streamers["total.rooms"][streamer_rows] <= NEWCOMER_ROOMS)
        fresh = just_started | newcomer
        self._rows = rows[fresh]
        self._handicaps = np.sqrt(1 + entries[fresh]).astype(np.float32)
        self._pooled_ms = now_ms


def _seed(request: Request) -> int:
    digest = hashlib.blake2b(f"{request.request_id}/{request.user_key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")
