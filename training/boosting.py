"""Boosting: gradient-boosted trees of binary labels, as arrays that need no tree library to be read."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_LEAVES = 32
"""The leaves of a tree are the bits of an int32."""

_VALUES_A_THREAD = 1 << 23
"""With fewer values, threads wait for each other longer than they work; on a busy machine thirty times as long."""

_GREATEST = np.finfo(np.float32).max


@dataclass(frozen=True, slots=True, kw_only=True)
class Boosting:
    """How trees are grown.

    Attributes:
        trees: How many, at most.
        leaves: Leaves a tree, at most.
        shrinkage: What a tree adds of its fit.
        least_rows: A leaf has at least so many rows.
        column_share: Share of the columns that a tree is grown on, drawn anew for each.
        patience: Trees without a better loss of the validation rows after which no more are grown.
    """

    trees: int
    leaves: int
    shrinkage: float
    least_rows: int
    column_share: float
    patience: int


@dataclass(frozen=True, slots=True)
class Forest:
    """T trees of up to L leaves, L − 1 splits each, padded to that size.

    At a split, a row goes left if its value is not greater than the threshold. A tree's leaves are numbered from left
    to right, so a split that sends a row right rules out the leaves below its left side, and the first leaf that no
    split rules out is the row's.

    Attributes:
        columns: Which value each split reads, int32 [L − 1, T].
        thresholds: float32 [L − 1, T].
        missing_left: Whether a missing value goes left, bool [L − 1, T].
        kept: Bit i of a split is 0 if going right rules out leaf i, int32 [L − 1, T]; all 1 of a split that is
            padding.
        values: What the trees add to the logit, float32 [T, L].
    """

    columns: NDArray[np.int32]
    thresholds: NDArray[np.float32]
    missing_left: NDArray[np.bool_]
    kept: NDArray[np.int32]
    values: NDArray[np.float32]

    @classmethod
    def blank(cls, trees: int, leaves: int) -> "Forest":
        """A forest in which every row falls on the first leaf of each tree, which adds 0."""
        shape = (leaves - 1, trees)
        return cls(
            np.zeros(shape, np.int32),
            np.zeros(shape, np.float32),
            np.zeros(shape, np.bool_),
            np.full(shape, -1, np.int32),
            np.zeros((trees, leaves), np.float32),
        )

    @property
    def grown(self) -> NDArray[np.bool_]:
        """Which trees have a split, bool [T]; the others are padding."""
        return (self.kept != -1).any(axis=0)

    @classmethod
    def beside(cls, forests: Sequence["Forest"]) -> "Forest":
        """The trees of all forests, one after the other."""
        return cls(
            np.concatenate([forest.columns for forest in forests], axis=1),
            np.concatenate([forest.thresholds for forest in forests], axis=1),
            np.concatenate([forest.missing_left for forest in forests], axis=1),
            np.concatenate([forest.kept for forest in forests], axis=1),
            np.concatenate([forest.values for forest in forests]),
        )


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows to grow trees on.

    Attributes:
        columns: float32 [n, D]; NaN = missing.
        labels: 0 or 1, float32 [n].
    """

    columns: NDArray[np.float32]
    labels: NDArray[np.float32]


def grow(training: Rows, validation: Rows, boosting: Boosting, *, start: float, seed: int) -> Forest:
    """Boosted trees of the log loss: Friedman, "Greedy Function Approximation" (2001), grown leaf by leaf by LightGBM.

    Args:
        training: Rows to fit.
        validation: Later rows, by whose loss the number of trees is chosen.
        boosting: How trees are grown.
        start: The logit that the trees add to.
        seed: Of the draw of columns.

    Returns:
        The trees; none where the labels do not vary.
    """
    # Here and not above: it loads scikit-learn, which takes seconds, and only a run that grows trees needs it.
    import lightgbm

    if not (training.labels.min(initial=1.0) < training.labels.max(initial=0.0)):
        return Forest.blank(boosting.trees, boosting.leaves)
    parts = [
        lightgbm.Dataset(rows.columns, rows.labels, init_score=np.full(len(rows.labels), start), free_raw_data=False)
        for rows in (training, validation)
    ]
    booster = lightgbm.train(
        _parameters(boosting, training.columns.size, seed),
        parts[0],
        num_boost_round=boosting.trees,
        valid_sets=[parts[1].set_reference(parts[0])] if len(validation.labels) else [],
        callbacks=[lightgbm.early_stopping(boosting.patience, verbose=False)] if len(validation.labels) else [],
    )
    grown = booster.dump_model(num_iteration=booster.best_iteration)["tree_info"]
    forest = Forest.blank(boosting.trees, boosting.leaves)
    for place, tree in enumerate(grown):
        _write(forest, place, tree["tree_structure"])
    return forest


def _parameters(boosting: Boosting, values: int, seed: int) -> dict[str, Any]:
    return {
        "objective": "binary",
        "boost_from_average": False,  # `start` is the average.
        "num_leaves": boosting.leaves,
        "learning_rate": boosting.shrinkage,
        "min_data_in_leaf": boosting.least_rows,
        "feature_fraction": boosting.column_share,
        "seed": seed,
        "deterministic": True,  # The same trees whatever the number of threads.
        "force_row_wise": True,
        "num_threads": min(os.cpu_count() or 1, 1 + values // _VALUES_A_THREAD),
        "verbosity": -1,
    }


def _write(forest: Forest, tree: int, root: dict[str, Any]) -> None:
    """Writes one tree of LightGBM's into its place."""
    leaves: list[float] = []
    splits: list[tuple[dict[str, Any], int]] = []

    def walk(node: dict[str, Any]) -> None:
        if "split_feature" not in node:
            leaves.append(node["leaf_value"])
            return
        first = len(leaves)
        walk(node["left_child"])
        below_left = (1 << len(leaves)) - (1 << first)
        splits.append((node, below_left))
        walk(node["right_child"])

    walk(root)
    forest.values[tree, : len(leaves)] = leaves
    for place, (node, below_left) in enumerate(splits):
        forest.columns[place, tree] = node["split_feature"]
        forest.thresholds[place, tree] = _rounded_down(node["threshold"])
        forest.missing_left[place, tree] = _missing_left(node)
        forest.kept[place, tree] = np.array(~below_left & 0xFFFFFFFF, np.uint32).view(np.int32)


def _rounded_down(threshold: float) -> np.float32:
    """The greatest finite float32 that is not above: it parts float32 values just as the float64 does."""
    nearest = np.float32(min(threshold, float(_GREATEST)))
    return np.nextafter(nearest, np.float32(-np.inf)) if float(nearest) > threshold else nearest


def _missing_left(split: dict[str, Any]) -> bool:
    """Where a missing value goes; where no training row missed it, LightGBM takes it as 0."""
    return split["default_left"] if split["missing_type"] == "NaN" else split["threshold"] >= 0.0
