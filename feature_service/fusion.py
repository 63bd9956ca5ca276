"""Fusion: one score from the heads of a ranker, by the weights of a scene."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from feature_service.live.table import Rows

UNWANTED_HEADS = frozenset({"not_interested", "block"})
"""Heads of what no platform wants more of: their weights are 0 or less, those of all others 0 or more."""

MOST_WEIGHT = 1000.0
"""Weights beyond this are taken for slips of the pen."""


def fuse(
    heads: Sequence[str], predictions: NDArray[np.float32], weights: Mapping[str, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Score = Σ_k w_k · p_k over the heads that the model has and the scene weighs.

    Args:
        heads: Names of the prediction columns.
        predictions: float32 [n, heads]; what a head without a weight predicts counts nothing, finite or not.
        weights: Weight by head; heads that the model has not are ignored (`unknown_weights` names them).

    Returns:
        The scores, float64 [n], and what each head adds to them, float64 [n, heads].
    """
    given = np.array([weights.get(head, 0.0) for head in heads], np.float64)
    with np.errstate(invalid="ignore"):  # inf · 0 and inf − inf: such a candidate sinks, see `rank_by`.
        contributions = np.where(given != 0, predictions * given, 0.0)
        return contributions.sum(axis=1), contributions


def weight_problem(head: str, weight: float) -> str:
    """What is wrong with a weight, empty = nothing: its sign, as the head's rule has it, or its size."""
    low, high = (-MOST_WEIGHT, 0.0) if head in UNWANTED_HEADS else (0.0, MOST_WEIGHT)
    return "" if low <= weight <= high else f"expected {low:g} to {high:g}, received {weight!r}"


def unknown_weights(heads: Sequence[str], weights: Mapping[str, float]) -> tuple[str, ...]:
    """The weighed heads that a model does not have, for one warning when it is loaded."""
    return tuple(head for head in weights if head not in heads)


def rank_by(scores: NDArray[np.float64], rows: Rows) -> NDArray[np.intp]:
    """The places by descending score, intp [n]; ties go by row, and a score that is not finite stands last.

    Args:
        scores: float64 [n].
        rows: Rows of the rooms, [n].
    """
    return np.lexsort((rows, -np.where(np.isfinite(scores), scores, -np.inf)))
