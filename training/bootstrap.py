"""Bootstrap intervals over users: impressions of one user are not independent, so users are drawn, not rows."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

REPLICATES = 200
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """A percentile interval."""

    low: float
    high: float


def bootstrap(
    statistic: Callable[[NDArray[np.int64]], NDArray[np.float64]],
    users: int,
    seed: int,
    replicates: int = REPLICATES,
) -> NDArray[np.float64]:
    """Draws of a statistic with users resampled with replacement.

    Args:
        statistic: Maps how often each user was drawn, int64 [U], to values [M] (NaN where undefined).
        users: U.
        seed: Two statistics drawn with one seed and U see the same users, so their draws are paired.
        replicates: B.

    Returns:
        float64 [B, M].

    References:
        Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 3.8 (resampling of clusters).
    """
    rng = np.random.default_rng(seed)
    counts = (np.bincount(rng.integers(users, size=users), minlength=users) for _ in range(replicates))
    return np.stack([statistic(count) for count in counts])


def interval(draws: NDArray[np.float64], level: float = LEVEL) -> Interval | None:
    """The central percentile interval of draws [B], without the undefined ones; None if none is defined."""
    draws = draws[np.isfinite(draws)]
    if not len(draws):
        return None
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def bootstrap_interval(
    statistic: Callable[[NDArray[np.int64]], float],
    users: int,
    seed: int,
    replicates: int = REPLICATES,
    level: float = LEVEL,
) -> Interval | None:
    """The interval of one number; see `bootstrap`."""
    return interval(bootstrap(lambda counts: np.array([statistic(counts)]), users, seed, replicates)[:, 0], level)
