"""Interactions: how much each viewer watched each streamer on each day, and what that is worth."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from training.data.erased import Erased
from training.recall_baselines import Enters

DAY_MS = 86_400_000
MINUTE_S = 60.0

WEIGHTS = ("watch", "visits", "days")
"""What a viewer's day with a streamer is worth; see `Worth`."""


@dataclass(frozen=True, slots=True)
class Worth:
    """What a viewer's day with a streamer is worth, and for how long.

    * `watch`: log(1 + s) / log(1 + 60), of the seconds s watched, at most `cap_s`: a minute is worth 1, three hours are
      worth 2.3. A visit of unknown length counts as a minute.
    * `visits`: the number of visits.
    * `days`: 1.

    As a streamer is hardly ever on air in two rooms at once, the cap is one of a room and a day: whoever leaves the tab
    open all night is no greater fan. A day's worth halves every `half_life_days`.

    Attributes:
        weight: One of `WEIGHTS`.
        cap_s: Longest watch of a day that counts, seconds.
        half_life_days: Of a day's worth.
    """

    weight: str
    cap_s: float
    half_life_days: float

    def __post_init__(self) -> None:
        """Checks the name.

        Raises:
            ValueError: There is no such weight.
        """
        if self.weight not in WEIGHTS:
            raise ValueError(f"weight: expected one of {', '.join(WEIGHTS)}, received {self.weight!r}")


@dataclass(frozen=True, slots=True)
class Interactions:
    """Visits summed by viewer, streamer and day (UTC), a row each, ordered by them.

    The sums are integers: a table of earlier visits plus one of later visits is the table of all, to the bit.

    Attributes:
        user: User key, int64 [N].
        streamer: Streamer key, int64 [N].
        day: Days since 1970, int64 [N].
        visits: Visits that began, int64 [N].
        unknown: Those of unknown length, int64 [N].
        watch_ms: Length of the others together, milliseconds, int64 [N].
        until_ms: Visits that began before are in it, Unix milliseconds.
    """

    user: NDArray[np.int64]
    streamer: NDArray[np.int64]
    day: NDArray[np.int64]
    visits: NDArray[np.int64]
    unknown: NDArray[np.int64]
    watch_ms: NDArray[np.int64]
    until_ms: int

    @classmethod
    def of(cls, visits: Enters, until_ms: int) -> Self:
        """The visits that began before a time, Unix milliseconds."""
        seen = visits.between(0, until_ms)
        one, unknown = np.ones(len(seen.time_ms), np.int64), (seen.watch_ms < 0).astype(np.int64)
        amounts = np.stack([one, unknown, np.maximum(seen.watch_ms, 0)])
        return cls(*_summed(np.stack([seen.user, seen.streamer, seen.time_ms // DAY_MS]), amounts), until_ms=until_ms)

    def plus(self, visits: Enters, until_ms: int) -> Self:
        """This table with the visits that began from its `until_ms` on and before another time.

        Raises:
            ValueError: That time is earlier.
        """
        if until_ms < self.until_ms:
            raise ValueError(f"visits: expected some from {self.until_ms} on, received visits until {until_ms}")
        new = type(self).of(visits.between(self.until_ms, until_ms), until_ms)
        joined = [np.concatenate([getattr(self, name), getattr(new, name)]) for name in _COLUMNS]
        return type(self)(*_summed(np.stack(joined[:3]), np.stack(joined[3:])), until_ms=until_ms)

    def without(self, erased: Erased) -> Self:
        """This table without what some users did until the day, inclusive, on which they were erased."""
        keep = ~erased.rows(self.user, self.day * DAY_MS)
        return type(self)(*(getattr(self, name)[keep] for name in _COLUMNS), until_ms=self.until_ms)

    def write(self, path: Path) -> None:
        """Writes the table as npz."""
        np.savez(path, allow_pickle=False, until_ms=self.until_ms, **{name: getattr(self, name) for name in _COLUMNS})

    @classmethod
    def read(cls, path: Path) -> Self:
        """Reads what `write` wrote.

        Raises:
            OSError: There is no such file.
        """
        with np.load(path) as arrays:
            return cls(*(arrays[name] for name in _COLUMNS), until_ms=int(arrays["until_ms"]))

    def matrix(self, worth: Worth) -> "WatchMatrix":
        """What every viewer's streamers are worth at `until_ms`; days worth next to nothing are left out."""
        if worth.weight == "watch":
            seconds = self.watch_ms / 1000 + self.unknown * MINUTE_S
            weight = np.log1p(np.minimum(seconds, worth.cap_s)) / np.log1p(MINUTE_S)
        else:
            weight = self.visits.astype(np.float64) if worth.weight == "visits" else np.ones(len(self.day))
        age_days = self.until_ms / DAY_MS - (self.day + 0.5)
        weight = weight * np.exp2(-np.maximum(age_days, 0.0) / worth.half_life_days)
        kept = weight > _LEAST
        users, user = np.unique(self.user[kept], return_inverse=True)
        streamers, streamer = np.unique(self.streamer[kept], return_inverse=True)
        shape = (len(users), len(streamers))
        return WatchMatrix(users, streamers, sp.csr_matrix((weight[kept], (user, streamer)), shape))


_COLUMNS = tuple(field.name for field in fields(Interactions) if field.name != "until_ms")
_LEAST = 1e-6


@dataclass(frozen=True, slots=True)
class WatchMatrix:
    """What each viewer's streamers are worth.

    Attributes:
        users: User keys, int64 [U], ascending.
        streamers: Streamer keys, int64 [S], ascending.
        worth: float64 [U, S], sparse; above 0 where there is a value.
    """

    users: NDArray[np.int64]
    streamers: NDArray[np.int64]
    worth: Any


def _summed(keys: NDArray[np.int64], amounts: NDArray[np.int64]) -> tuple[NDArray[np.int64], ...]:
    """Rows of equal keys [3, N] as one, in ascending order, with the sums of their amounts [3, N]."""
    order = np.lexsort(keys[::-1])
    keys, amounts = keys[:, order], amounts[:, order]
    first = np.flatnonzero(np.append(True, (np.diff(keys) != 0).any(axis=0))) if keys.shape[1] else np.zeros(0, int)
    sums = np.add.reduceat(amounts, first, axis=1) if len(first) else amounts
    return (*keys[:, first], *sums)
