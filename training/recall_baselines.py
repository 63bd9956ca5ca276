"""Baselines of recall: scorers of live rooms that need no training, and the protocol of a scorer."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from training.data.samples import RoomVersions

HALF_LIFE_MS = 3_600_000
"""Of recent popularity. On the Twitch file's validation steps one hour beat three, six and twenty-four."""

_HALF_LIVES_KEPT = 10  # What is older counts under a thousandth.


@dataclass(frozen=True, slots=True)
class Case:
    """A question to recall: which room will this viewer enter now?

    Attributes:
        number: Place among the cases.
        time_ms: When it was asked; nothing later may be used.
        user: User key.
        user_row: Row of the user in `Slates`.
    """

    number: int
    time_ms: int
    user: int
    user_row: int


class Scorer(Protocol):
    """Scores live rooms for a case."""

    def __call__(self, case: Case, rows: NDArray[np.intp], /) -> NDArray[np.floating]:
        """Scores [C] of the rooms in these rows [C] of the `RoomVersions`; higher is better."""
        ...


@dataclass(frozen=True, slots=True)
class Enters:
    """All visits that began, in order of time.

    Attributes:
        time_ms: int64 [E], ascending.
        user: User key, int64 [E].
        streamer: Streamer key, int64 [E].
        watch_ms: How long the visit lasted, milliseconds, int64 [E]; −1 = not known.
    """

    time_ms: NDArray[np.int64]
    user: NDArray[np.int64]
    streamer: NDArray[np.int64]
    watch_ms: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        time_ms: NDArray[np.int64],
        user: NDArray[np.int64],
        streamer: NDArray[np.int64],
        watch_ms: NDArray[np.int64] | None = None,
    ) -> "Enters":
        """Visits in any order; without `watch_ms` nobody knows how long they lasted."""
        order = np.argsort(time_ms, kind="stable")
        watched = np.full(len(time_ms), -1, np.int64) if watch_ms is None else watch_ms
        return cls(time_ms[order], user[order], streamer[order], watched[order])

    def between(self, start_ms: int, stop_ms: int) -> "Enters":
        """The visits that began in [start_ms, stop_ms)."""
        kept = slice(*np.searchsorted(self.time_ms, [start_ms, stop_ms]).tolist())
        return Enters(self.time_ms[kept], self.user[kept], self.streamer[kept], self.watch_ms[kept])


class VisitedStreamers:
    """Which streamers a user had visited by a moment."""

    def __init__(self, enters: Enters) -> None:
        order = np.argsort(enters.user, kind="stable")
        self._user = enters.user[order]
        self._time_ms = enters.time_ms[order]
        self._streamer = enters.streamer[order]

    def before(self, user: int, time_ms: int) -> NDArray[np.int64]:
        """Streamer keys of the user's visits before that moment, a key a visit."""
        start, stop = np.searchsorted(self._user, [user, user + 1])
        return self._streamer[start : start + np.searchsorted(self._time_ms[start:stop], time_ms)]


@dataclass(frozen=True, slots=True)
class Popularity:
    """How often a streamer was entered in the training period.

    Attributes:
        visits: float64 [R], a row a room version.
    """

    visits: NDArray[np.float64]

    @classmethod
    def of(cls, enters: Enters, rooms: RoomVersions, until_ms: int) -> "Popularity":
        """Counts the enters before `until_ms`, where training ends."""
        streamer = enters.streamer[: np.searchsorted(enters.time_ms, until_ms)]
        known, visits = np.unique(streamer, return_counts=True)
        return cls(np.append(visits, 0.0)[_places(known, rooms.streamer)])

    def __call__(self, _case: Case, rows: NDArray[np.intp], /) -> NDArray[np.floating]:
        """See `Scorer`."""
        return self.visits[rows]


@dataclass(frozen=True, slots=True)
class RecentPopularity:
    """How often a streamer was entered up to now; an enter halves in weight every half-life.

    Attributes:
        time_ms: Of the enters, int64 [E], ascending.
        streamer: Number of the streamer entered, int64 [E].
        room_streamer: Number of the room's streamer, int64 [R]; the largest number is "never entered".
        half_life_ms: Of an enter's weight.
    """

    time_ms: NDArray[np.int64]
    streamer: NDArray[np.intp]
    room_streamer: NDArray[np.intp]
    half_life_ms: int = HALF_LIFE_MS

    @classmethod
    def of(cls, enters: Enters, rooms: RoomVersions, half_life_ms: int = HALF_LIFE_MS) -> "RecentPopularity":
        """Prepares the enters of the whole log; a case sees those before it."""
        known, streamer = np.unique(enters.streamer, return_inverse=True)
        return cls(enters.time_ms, streamer, _places(known, rooms.streamer), half_life_ms)

    def __call__(self, case: Case, rows: NDArray[np.intp], /) -> NDArray[np.floating]:
        """See `Scorer`."""
        oldest = case.time_ms - _HALF_LIVES_KEPT * self.half_life_ms
        start, stop = np.searchsorted(self.time_ms, [oldest, case.time_ms])
        weight = np.exp2((self.time_ms[start:stop] - case.time_ms) / self.half_life_ms)
        wanted = self.room_streamer[rows]
        heat = np.bincount(self.streamer[start:stop], weight, minlength=int(wanted.max()) + 1)
        return heat[wanted].astype(np.float64)


@dataclass(frozen=True, slots=True)
class RepeatVisits:
    """How often this user had entered the streamer before (REP): most visits are repeats.

    Attributes:
        visited: The visits so far.
        streamer: Streamer key of each room version, int64 [R].

    References:
        Rappaz et al., Recommendation on Live-Streaming Platforms, RecSys 2021, table 2.
    """

    visited: VisitedStreamers
    streamer: NDArray[np.int64]

    def __call__(self, case: Case, rows: NDArray[np.intp], /) -> NDArray[np.floating]:
        """See `Scorer`."""
        known, visits = np.unique(self.visited.before(case.user, case.time_ms), return_counts=True)
        return np.append(visits, 0.0)[_places(known, self.streamer[rows])]


@dataclass(frozen=True, slots=True)
class RandomOrder:
    """Any order, the same for a case in every run.

    Attributes:
        seed: Of the order.
    """

    seed: int

    def __call__(self, case: Case, rows: NDArray[np.intp], /) -> NDArray[np.floating]:
        """See `Scorer`."""
        return np.random.default_rng([self.seed, case.number]).random(len(rows))


def recall_baselines(
    enters: Enters, rooms: RoomVersions, trained_until_ms: int, *, half_life_ms: int = HALF_LIFE_MS, seed: int = 0
) -> dict[str, Scorer]:
    """The scorers that a recall model stands beside, by name."""
    return {
        "popularity": Popularity.of(enters, rooms, trained_until_ms),
        "recent_popularity": RecentPopularity.of(enters, rooms, half_life_ms),
        "repeat_visits": RepeatVisits(VisitedStreamers(enters), rooms.streamer),
        "random": RandomOrder(seed),
    }


def _places(known: NDArray[np.int64], keys: NDArray[np.int64]) -> NDArray[np.intp]:
    """Each key's place in `known` (ascending), or len(known) if it is not there."""
    if not len(known):
        return np.zeros(len(keys), np.intp)
    places = np.searchsorted(known, keys)
    missing = known[np.minimum(places, len(known) - 1)] != keys
    return np.where(missing, len(known), places)
