"""Trees are grown by LightGBM and read without it."""

from typing import Any

import lightgbm
import numpy as np
import pytest

from training.boosting import Boosting, Forest, Rows, grow

BOOSTING = Boosting(trees=12, leaves=5, shrinkage=0.3, least_rows=5, column_share=1.0, patience=12)


def rows(count: int, seed: int, positive: np.ndarray | None = None) -> Rows:
    """Three columns, of which the second is missing for a third of the rows, and these are mostly positive."""
    rng = np.random.default_rng(seed)
    columns = rng.normal(size=(count, 3)).astype(np.float32)
    columns[rng.random(count) < 1 / 3, 1] = np.nan
    chance = np.where(np.isnan(columns[:, 1]), 0.9, np.where(columns[:, 0] > 0.5, 0.7, 0.1))
    return Rows(columns, (rng.random(count) < chance).astype(np.float32))


def logits(forest: Forest, columns: np.ndarray) -> np.ndarray:
    """Σ over trees of the first leaf that no split leaves out, row by row and split by split."""
    found = np.zeros(len(columns))
    for row, values in enumerate(columns):
        for tree in range(len(forest.values)):
            left = (1 << 32) - 1
            for split in range(len(forest.columns)):
                value = values[forest.columns[split, tree]]
                missing = forest.missing_left[split, tree]
                if not (missing if np.isnan(value) else value <= forest.thresholds[split, tree]):
                    left &= int(forest.kept[split, tree]) & 0xFFFFFFFF
            leaf = next(place for place in range(32) if left >> place & 1)
            found[row] += forest.values[tree, leaf]
    return found


def log_loss(labels: np.ndarray, scores: np.ndarray) -> float:
    return float(np.mean(np.log1p(np.exp(np.where(labels > 0, -scores, scores)))))


def test_the_arrays_say_what_lightgbm_says(monkeypatch: pytest.MonkeyPatch):
    """Also of a column that was never missing in training, and is now: LightGBM takes it as 0."""
    boosters = []

    def train(*arguments: Any, **options: Any) -> Any:
        boosters.append(trained(*arguments, **options))
        return boosters[-1]

    trained = lightgbm.train
    monkeypatch.setattr(lightgbm, "train", train)
    forest = grow(rows(2000, 1), rows(500, 2), BOOSTING, start=0.0, seed=3)
    asked = rows(300, 4).columns
    asked[:50, 0] = np.nan
    assert logits(forest, asked) == pytest.approx(boosters[0].predict(asked, raw_score=True), abs=1e-5)


def test_trees_learn_what_is_missing_and_what_is_great():
    """The rows are of three kinds, of chance .9, .7 and .1: no model is better than their entropies."""
    forest = grow(rows(2000, 1), rows(1000, 2), BOOSTING, start=0.0, seed=3)
    tested = rows(1000, 4)
    scores = logits(forest, tested.columns)
    missing = np.isnan(tested.columns[:, 1])
    great = ~missing & (tested.columns[:, 0] > 0.5)
    for kind, chance in ((missing, 0.9), (great, 0.7), (~missing & ~great, 0.1)):
        assert 1 / (1 + np.exp(-scores[kind].mean())) == pytest.approx(chance, abs=0.08)


def test_the_trees_add_to_the_logit_they_start_from():
    """From a start of 1.5, too sure of a positive, they lead down to the same chances."""
    forest = grow(rows(2000, 1), rows(1000, 2), BOOSTING, start=1.5, seed=3)
    tested = rows(1000, 4)
    with_start = log_loss(tested.labels, 1.5 + logits(forest, tested.columns))
    assert with_start < log_loss(tested.labels, logits(forest, tested.columns))


def test_growing_stops_where_validation_gets_no_better():
    """Labels by chance: what trees find in the training rows does not hold for others."""
    rng = np.random.default_rng(0)
    noise = [
        Rows(part.columns, rng.integers(0, 2, len(part.labels)).astype(np.float32)) for part in (rows(300, 1),) * 2
    ]
    held_out = Rows(rows(300, 2).columns, noise[1].labels)
    few = grow(
        noise[0],
        held_out,
        Boosting(trees=40, leaves=5, shrinkage=0.3, least_rows=5, column_share=1.0, patience=3),
        start=0.0,
        seed=3,
    )
    assert few.grown.sum() < 10
    assert few.columns.shape == (4, 40)


def test_labels_that_do_not_vary_grow_no_tree():
    columns = rows(50, 1).columns
    for label in (0.0, 1.0):
        same = Rows(columns, np.full(50, label, np.float32))
        assert not grow(same, same, BOOSTING, start=0.0, seed=3).grown.any()
    nobody = Rows(columns[:0], np.zeros(0, np.float32))
    assert not grow(nobody, nobody, BOOSTING, start=0.0, seed=3).grown.any()


def test_the_same_seed_grows_the_same_trees():
    boosting = Boosting(trees=12, leaves=5, shrinkage=0.3, least_rows=5, column_share=0.5, patience=12)
    one, two, other = (grow(rows(500, 1), rows(200, 2), boosting, start=0.0, seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(one.columns, two.columns)
    assert np.array_equal(one.values, two.values)
    assert not np.array_equal(one.columns, other.columns)


def test_a_threshold_parts_neighbouring_floats():
    """1 and the next float32: their middle is no float32, and rounded up it would send both left."""
    low, high = np.float32(1.0), np.nextafter(np.float32(1.0), np.float32(2.0))
    columns = np.tile(np.array([[low], [high]], np.float32), (50, 1))
    part = Rows(columns, (columns[:, 0] > 1.0).astype(np.float32))
    scores = logits(grow(part, part, BOOSTING, start=0.0, seed=3), columns[:2])
    assert scores[0] < -1.0
    assert scores[1] > 1.0
