"""Off-policy estimates: what a policy would have earned on a log that another policy made."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.bootstrap import Interval, bootstrap, interval

Floats = NDArray[np.float64]

REPLICATES = 1_000


@dataclass(frozen=True, slots=True)
class Logged:
    """Logged first places of requests, n of them.

    Attributes:
        user: Number of the viewer, from 0, int64 [n].
        first: Row of each request's first candidate, int64 [n]; requests stand one after another.
        shown: Row of the candidate that was shown first, int64 [n].
        propensity: With which probability it was, (0, 1], float64 [n].
        reward: What came of it, float64 [n].
        expected: What a model expects of each candidate, float64 [rows].
    """

    user: NDArray[np.int64]
    first: NDArray[np.int64]
    shown: NDArray[np.int64]
    propensity: Floats
    reward: Floats
    expected: Floats

    def choice(self, scores: Floats) -> NDArray[np.int64]:
        """Row of each request's best candidate by scores, float64 [rows] → int64 [n]; of equal ones the first."""
        best = np.maximum.reduceat(scores, self.first)
        request = np.repeat(np.arange(len(self.first)), np.diff(np.append(self.first, len(scores))))
        rows = np.flatnonzero(scores == best[request])
        _, place = np.unique(request[rows], return_index=True)
        return rows[place]

    def earnings(self, scores: Floats) -> Floats:
        """A doubly robust term a request, float64 [n]; their mean estimates what the policy of these scores earns.

        r̂(x, π(x)) + 1[a = π(x)] / p · (r − r̂(x, a)), with a the candidate that was shown and r̂ the model: unbiased
        as the propensities are right, and the less noisy the better the model is.

        References:
            Dudík, Langford and Li, "Doubly Robust Policy Evaluation and Learning" (ICML 2011), equation 2.
        """
        chosen = self.choice(scores)
        weights = (chosen == self.shown) / self.propensity
        return self.expected[chosen] + weights * (self.reward - self.expected[self.shown])

    def effective_size(self, scores: Floats) -> float:
        """(Σ w)² / Σ w² of the weights w: of how many requests the log speaks of this policy; 0 = of none."""
        weights = (self.choice(scores) == self.shown) / self.propensity
        return float(weights.sum() ** 2 / (weights**2).sum()) if weights.any() else 0.0


@dataclass(frozen=True, slots=True)
class OffPolicy:
    """An estimate.

    Attributes:
        value: Reward a request.
        interval: 95 %, viewers drawn anew.
        effective_size: See `Logged.effective_size`.
    """

    value: float
    interval: Interval | None
    effective_size: float


def estimate(logged: Logged, scores: Floats) -> OffPolicy:
    """What the policy of these scores earns a request."""
    terms = logged.earnings(scores)
    return OffPolicy(float(terms.mean()), _interval(logged, terms), logged.effective_size(scores))


def difference(logged: Logged, scores: Floats, other: Floats) -> OffPolicy:
    """How much more one policy earns than another on the same requests."""
    terms = logged.earnings(scores) - logged.earnings(other)
    return OffPolicy(float(terms.mean()), _interval(logged, terms), logged.effective_size(scores))


def _interval(logged: Logged, terms: Floats) -> Interval | None:
    users = int(logged.user.max()) + 1
    sums = np.stack([np.bincount(logged.user, terms, users), np.bincount(logged.user, minlength=users)], axis=1)

    def mean(counts: NDArray[np.int64]) -> Floats:
        total, requests = counts @ sums
        return np.array([total / requests])

    return interval(bootstrap(mean, users, 0, REPLICATES)[:, 0])
