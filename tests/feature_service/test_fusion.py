"""Fusion of the heads."""

import numpy as np
import pytest

from feature_service.fusion import fuse, rank_by, unknown_weights


def test_score_is_the_weighed_sum_of_the_heads() -> None:
    predictions = np.array([[0.5, 0.25], [0.1, 0.2]], np.float32)
    scores, contributions = fuse(("enter", "gift"), predictions, {"gift": 4.0, "enter": 2.0})
    assert contributions == pytest.approx(np.array([[1.0, 1.0], [0.2, 0.8]]))
    assert scores.tolist() == pytest.approx([2.0, 1.0])


def test_head_without_a_weight_counts_nothing_even_when_it_is_not_finite() -> None:
    predictions = np.array([[0.5, np.nan], [0.25, np.inf]], np.float32)
    scores, contributions = fuse(("enter", "spare"), predictions, {"enter": 1.0})
    assert scores.tolist() == [0.5, 0.25]
    assert contributions[:, 1].tolist() == [0, 0]


def test_weight_of_a_head_that_the_model_lacks_is_ignored_and_named() -> None:
    scores, _ = fuse(("enter",), np.array([[0.5]], np.float32), {"enter": 1.0, "gift": 3.0})
    assert scores.tolist() == [0.5]
    assert unknown_weights(("enter",), {"enter": 1.0, "gift": 3.0}) == ("gift",)


def test_score_that_is_not_finite_stands_last() -> None:
    predictions = np.array([[np.nan, 0], [0.1, 0], [np.inf, 0], [0.2, 0], [np.inf, -np.inf]], np.float32)
    scores, _ = fuse(("enter", "gift"), predictions, {"enter": 1.0, "gift": 1.0})
    assert rank_by(scores, np.arange(5)).tolist() == [3, 1, 0, 2, 4]


def test_equal_scores_go_by_row() -> None:
    assert rank_by(np.array([1.0, 2.0, 1.0]), np.array([9, 5, 3])).tolist() == [1, 2, 0]


def test_no_candidate_has_no_score() -> None:
    scores, contributions = fuse(("enter",), np.zeros((0, 1), np.float32), {"enter": 1.0})
    assert (scores.shape, contributions.shape) == ((0,), (0, 1))
    assert rank_by(scores, np.zeros(0, np.intp)).tolist() == []
