"""The channel `fresh`: rooms that have just started, and rooms of streamers who are new to the platform.

Behaviour cannot find what nobody has met yet, so the channel gives exposure by lot: every request draws anew, by
weighted sampling without replacement (Efraimidis and Spirakis 2006: the greatest u^(1/w) win, u uniform). The weight is

    w = (rate + 1/2 · 1/√(1 + shown)) · e^(4 · similarity).

The first factor is an upper confidence bound (Auer et al. 2002): the share of a streamer's impressions that were
entered, and a bonus that falls with the number of impressions, so that most of the exposure goes to those who had least
and then to those whom viewers liked. The second prefers content like what the user has watched: the cosine of the
room's content vector and the mean of the watched streamers'; it is 1 where either is missing.
"""

import hashlib
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from feature_service.features.reducers import Entry
from feature_service.features.state import State
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

POOL = 2_000
"""Rooms of the pool; where more are fresh, a lot decides at every refresh which of them."""

LOTS = 1 << 16
"""Different lots that requests draw."""

RATE_PRIOR = 0.1
"""The rate of a streamer without impressions,"""

PRIOR_IMPRESSIONS = 10.0
"""which counts as much as so many impressions."""

BONUS = 0.5
SIMILARITY_WEIGHT = 4.0
TASTE_VISITS = 20
"""How many of the user's last visits make the taste."""


@dataclass(frozen=True, slots=True)
class _Pool:
    """The fresh rooms at one moment.

    Attributes:
        rows: Rows of rooms, [n].
        log_weights: log of the upper confidence bounds, float32 [n].
        content: Content vectors of length 1 (or 0), float32 [n, width]; width 0 on a platform without.
    """

    rows: Rows
    log_weights: NDArray[np.float32]
    content: NDArray[np.float32]


class Fresh:
    """Draws from the pool of fresh rooms; the request's id is the seed."""

    waits: ClassVar[bool] = False

    def __init__(self) -> None:
        # Drawn once, for that is what takes the time; each request starts at a place of its own.
        self._lots = -np.log(np.random.default_rng(0).standard_exponential(LOTS + POOL, np.float32))
        self._pool: _Pool | None = None
        self._pooled_ms = -REFRESH_MS

    async def recall(self, request: Request, world: World, limit: int) -> Recalled:
        """At most `limit` rooms, by lot; the score is log w − log(−log u), a Gumbel variable: the higher the better."""
        if self._pool is None or not 0 <= request.now_ms - self._pooled_ms < REFRESH_MS:
            self._pool, self._pooled_ms = _pool(world, request.now_ms), request.now_ms
        pool = self._pool
        start = _seed(request) % LOTS
        keys = pool.log_weights + self._lots[start : start + len(pool.rows)]
        if pool.content.size:
            keys += pool.content @ _taste(request, world)
        drawn = best(NAME, pool.rows, keys, limit)
        on_air = world.live.mask(drawn.rows, request.now_ms)
        return Recalled(NAME, drawn.rows[on_air], drawn.scores[on_air])


def newcomers(state: State, streamer_rows: Rows) -> NDArray[np.bool_]:
    """Which streamers are new to the platform, bool [n]."""
    streamers = state.streamers.fields
    entries, rooms = streamers["total.enter"][streamer_rows], streamers["total.rooms"][streamer_rows]
    return (entries < NEWCOMER_ENTRIES) | (rooms <= NEWCOMER_ROOMS)


def _pool(world: World, now_ms: int) -> _Pool:
    rows = world.live.rows(now_ms)
    streamers, streamer_rows = world.state.streamers.fields, world.live.streamer_rows(rows)
    entries = streamers["total.enter"][streamer_rows]
    just_started = world.state.rooms.fields["started_ms"][rows] > now_ms - JUST_STARTED_MS
    fresh = np.flatnonzero(just_started | newcomers(world.state, streamer_rows))
    fresh = fresh[np.argsort(world.state.rooms.fields["key"][rows[fresh]])]  # A request draws the same at all replicas.
    rows, entries, streamer_rows = rows[fresh], entries[fresh], streamer_rows[fresh]
    shown = np.maximum(streamers["total.impression"][streamer_rows], entries)  # A visit without one was seen as well.
    rates = (entries + RATE_PRIOR * PRIOR_IMPRESSIONS) / (shown + PRIOR_IMPRESSIONS)
    log_weights = np.log(rates + BONUS / np.sqrt(1 + shown)).astype(np.float32)
    if len(rows) > POOL:
        lots = log_weights - np.log(np.random.default_rng(now_ms).standard_exponential(len(rows), np.float32))
        drawn = np.sort(np.argpartition(lots, len(rows) - POOL)[-POOL:])
        rows, log_weights = rows[drawn], np.zeros(POOL, np.float32)
    return _Pool(rows, log_weights, _content(world, rows))


def _content(world: World, rows: Rows) -> NDArray[np.float32]:
    content = world.state.rooms.fields.get("content")
    return np.zeros((len(rows), 0), np.float32) if content is None else _unit(content[rows])


def _taste(request: Request, world: World) -> NDArray[np.float32]:
    """The direction of the content that the user watched last, of the length of its weight, float32 [width].

    Zeros for a user who watched nothing of known content.
    """
    users, streamers = world.state.users, world.state.streamers
    watched = users.fields["watched"][users.find(request.user_key), Entry.STREAMER, :TASTE_VISITS]
    rows = [streamers.find(key) for key in watched.tolist()]
    return SIMILARITY_WEIGHT * _unit(_unit(streamers.fields["content"][rows]).sum(axis=0))


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The vectors [..., width] at length 1; zeros stay zeros."""
    lengths = np.sqrt(np.einsum("...i,...i->...", vectors, vectors))
    return vectors / np.maximum(lengths, np.float32(1e-9))[..., None]


def _seed(request: Request) -> int:
    digest = hashlib.blake2b(f"{request.request_id}/{request.user_key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")
