"""The search for fusion weights: random steps around what serves, judged off-policy."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from feature_service.fusion import MOST_WEIGHT, fuse
from training.tuning.off_policy import Logged, OffPolicy, difference, estimate

Weights = Mapping[str, float]

STEPS = (1.0, 0.3)
"""Standard deviation of the steps in the logarithm of a weight: first far around what serves, then around the best."""


@dataclass(frozen=True, slots=True)
class Tuned:
    """What the search found.

    Attributes:
        current: The weights that serve.
        best: The weights that earned most on the requests of the search.
        serves: What the current ones earn on requests that the search has not seen.
        found: What the best ones earn there.
        gain: How much more that is.
    """

    current: Weights
    best: Weights
    serves: OffPolicy
    found: OffPolicy
    gain: OffPolicy

    @property
    def better(self) -> bool:
        """Whether the best are better beyond doubt: the interval of the gain lies above 0."""
        return self.gain.interval is not None and self.gain.interval.low > 0


@dataclass(frozen=True, slots=True)
class Part:
    """Requests of one part with a ranker's predictions, float32 [rows, heads]."""

    logged: Logged
    predictions: NDArray[np.float32]

    def scores(self, heads: Sequence[str], weights: Weights) -> NDArray[np.float64]:
        """The fusion's scores, float64 [rows]."""
        return fuse(heads, self.predictions, weights)[0]


def tune(
    heads: Sequence[str],
    current: Weights,
    search: Part,
    held_out: Part,
    *,
    trials: int,
    seed: int,
    on_trial: Callable[[int], None] = lambda _: None,
) -> Tuned:
    """Searches weights on one part, and judges what it found on another.

    Args:
        heads: Of the predictions.
        current: The weights that serve; heads without a weight above 0 stay as they are.
        search: Where candidates are compared.
        held_out: Later requests.
        trials: Candidates of each of the two rounds.
        seed: Of the candidates.
        on_trial: Takes how many were tried.
    """
    rng = np.random.default_rng(seed)
    best, earned = dict(current), _earned(search, heads, current)
    for number, step in enumerate(STEPS):
        centre = dict(best)
        for trial in range(trials):
            weights = _near(centre, heads, step, rng)
            if (found := _earned(search, heads, weights)) > earned:
                best, earned = weights, found
            on_trial(number * trials + trial + 1)
    serving, chosen = (held_out.scores(heads, weights) for weights in (current, best))
    return Tuned(
        current=dict(current),
        best=best,
        serves=estimate(held_out.logged, serving),
        found=estimate(held_out.logged, chosen),
        gain=difference(held_out.logged, chosen, serving),
    )


def _earned(part: Part, heads: Sequence[str], weights: Weights) -> float:
    return float(part.logged.earnings(part.scores(heads, weights)).mean())


def _near(weights: Weights, heads: Sequence[str], step: float, rng: np.random.Generator) -> dict[str, float]:
    """Weights some steps away, each by a factor of its own, within the bounds of settings; 3 digits are enough."""
    moved = dict(weights)
    for head, weight in weights.items():
        if head in heads and weight > 0:
            moved[head] = float(f"{min(weight * np.exp(rng.normal(0.0, step)), MOST_WEIGHT):.3g}")
    return moved
