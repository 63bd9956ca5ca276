"""Metrics against values derived by hand, brute force, and scikit-learn."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import log_loss, roc_auc_score

from training.metrics import (
    ComparedPairs,
    RankedLabels,
    auc,
    calibration_bins,
    calibration_curve,
    calibration_error,
    grouped_auc,
    hits,
    log_losses,
    ndcg,
    normalised_entropy,
    rank_of,
    ratio,
)

LABELS = np.array([1, 0, 1, 0], np.float32)
SCORES = np.array([0.9, 0.8, 0.4, 0.4], np.float32)
# Pairs (positive, negative): .9>.8 yes, .9>.4 yes, .4<.8 no, .4=.4 half: 2.5 of 4.

ROWS = st.lists(
    st.tuples(st.booleans(), st.integers(0, 4), st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40
)


def columns(rows: list[tuple[bool, int, int, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    labels, scores, groups, weights = zip(*rows, strict=True)
    return np.array(labels, np.float32), np.array(scores, np.float32) / 4, np.array(groups), np.array(weights, float)


def pairs_won(labels: np.ndarray, scores: np.ndarray) -> float | None:
    won = [
        1.0 if positive > negative else 0.5 if positive == negative else 0.0
        for positive in scores[labels > 0]
        for negative in scores[labels == 0]
    ]
    return sum(won) / len(won) if won else None


def test_auc_is_the_share_of_pairs_won_with_ties_half() -> None:
    assert auc(LABELS, SCORES) == pytest.approx(2.5 / 4)


@pytest.mark.parametrize("labels", [[], [1, 1], [0, 0]])
def test_auc_of_a_single_class_is_undefined(labels: list[int]) -> None:
    assert auc(np.array(labels, np.float32), np.linspace(0, 1, len(labels))) is None


@given(ROWS)
def test_auc_equals_brute_force(rows: list[tuple[bool, int, int, int]]) -> None:
    labels, scores, _, _ = columns(rows)
    expected = pairs_won(labels, scores)
    assert auc(labels, scores) == (None if expected is None else pytest.approx(expected))


@given(ROWS)
def test_weighted_auc_equals_auc_of_repeated_rows(rows: list[tuple[bool, int, int, int]]) -> None:
    labels, scores, _, weights = columns(rows)
    times = weights.astype(int)
    expected = pairs_won(np.repeat(labels, times), np.repeat(scores, times))
    value = RankedLabels.of(labels, scores).auc(weights)
    assert math.isnan(value) if expected is None else value == pytest.approx(expected)


def test_auc_and_log_loss_agree_with_scikit_learn() -> None:
    rng = np.random.default_rng(3)
    probabilities = rng.random(2_000).round(2).clip(0.01, 0.99)
    labels = (rng.random(2_000) < probabilities).astype(np.float32)
    assert auc(labels, probabilities) == pytest.approx(roc_auc_score(labels, probabilities))
    assert log_losses(labels, probabilities).mean() == pytest.approx(log_loss(labels, probabilities))


def test_gauc_weighs_users_by_impressions_and_skips_single_class_users() -> None:
    # User 0: 1 positive above 1 negative: AUC 1, 2 impressions. User 1: positive below two of three: AUC 1/3, 4
    # impressions. User 2: positives only: skipped. GAUC = (2 * 1 + 4 * 1/3) / 6.
    groups = np.array([0, 0, 1, 1, 1, 1, 2, 2])
    labels = np.array([1, 0, 1, 0, 0, 0, 1, 1], np.float32)
    scores = np.array([0.6, 0.5, 0.3, 0.9, 0.8, 0.1, 0.2, 0.4])
    assert grouped_auc(labels, scores, groups).mean() == pytest.approx((2 + 4 / 3) / 6)


def test_gauc_counts_a_user_as_often_as_it_was_drawn() -> None:
    groups = np.array([0, 0, 1, 1])
    labels = np.array([1, 0, 0, 1], np.float32)
    scores = np.array([0.9, 0.1, 0.9, 0.1])
    assert grouped_auc(labels, scores, groups).mean(np.array([3, 1])) == pytest.approx(3 / 4)


def test_gauc_without_a_user_of_both_classes_is_undefined() -> None:
    assert math.isnan(grouped_auc(np.ones(3, np.float32), np.ones(3), np.array([0, 1, 1])).mean())


@given(ROWS)
def test_gauc_equals_a_loop_over_users(rows: list[tuple[bool, int, int, int]]) -> None:
    labels, scores, groups, _ = columns(rows)
    total, weight = 0.0, 0
    for group in np.unique(groups):
        own = pairs_won(labels[groups == group], scores[groups == group])
        if own is not None:
            total += own * (groups == group).sum()
            weight += (groups == group).sum()
    value = grouped_auc(labels, scores, groups).mean()
    assert math.isnan(value) if weight == 0 else value == pytest.approx(total / weight)


def test_log_loss_is_finite_for_certain_and_wrong_predictions() -> None:
    losses = log_losses(np.array([1, 0], np.float32), np.array([0, 1], np.float32))
    assert losses == pytest.approx([-math.log(1e-7)] * 2, rel=1e-6)


def test_normalised_entropy_of_the_base_rate_is_one() -> None:
    rate = 0.25
    base = -0.25 * math.log(0.25) - 0.75 * math.log(0.75)
    assert normalised_entropy(base, rate) == pytest.approx(1)
    assert math.isnan(normalised_entropy(0.1, 0.0))


def test_calibration_bins_have_equal_mass() -> None:
    assert calibration_bins(np.array([0.9, 0.1, 0.2, 0.8]), bins=2).tolist() == [1, 0, 0, 1]


def test_calibration_curve_is_the_mean_prediction_and_label_of_each_bin() -> None:
    labels, predictions = np.array([0, 0, 1, 0], np.float32), np.array([0.1, 0.2, 0.8, 0.9])
    curve = calibration_curve(calibration_bins(predictions, bins=2), labels, predictions)
    assert curve == pytest.approx(np.array([[2, 0.15, 0], [2, 0.85, 0.5]]))


def test_calibration_error_is_the_mean_gap_of_the_bins() -> None:
    # Two bins of two rows: labels fall short of predictions by .3 and .7 in sum, in the mean by .15 and .35.
    assert calibration_error(np.array([-0.3, -0.7]), 4) == pytest.approx((2 * 0.15 + 2 * 0.35) / 4)


def test_calibration_never_parts_equal_predictions() -> None:
    assert len(set(calibration_bins(np.full(4, 0.5, np.float32)).tolist())) == 1


def test_xauc_is_the_share_of_pairs_of_different_amounts_ordered_right() -> None:
    # Amounts 10 > 5 = 5 > 1. Five pairs differ; predictions order (10,5a) right, (10,5b) tie, (10,1) right,
    # (5a,1) wrong, (5b,1) right: 3.5 of 5.
    amounts = np.array([10, 5, 5, 1], np.float32)
    predictions = np.array([8, 2, 8, 3], np.float32)
    pairs = ComparedPairs.of(amounts, predictions, np.random.default_rng(0))
    assert pairs.xauc(np.ones(4)) == pytest.approx(3.5 / 5)


@given(ROWS)
def test_weighted_xauc_equals_xauc_of_repeated_rows(rows: list[tuple[bool, int, int, int]]) -> None:
    _, predictions, amounts, weights = columns(rows)
    rng = np.random.default_rng(0)
    times = weights.astype(int)
    again = ComparedPairs.of(np.repeat(amounts, times), np.repeat(predictions, times), rng)
    expected = again.xauc(np.ones(times.sum()))
    value = ComparedPairs.of(amounts, predictions, rng).xauc(weights)
    assert math.isnan(value) if math.isnan(expected) else value == pytest.approx(expected)


def test_xauc_of_drawn_pairs_is_near_that_of_all_pairs() -> None:
    rng = np.random.default_rng(5)
    amounts = rng.exponential(60, 600)
    predictions = amounts * rng.lognormal(0, 1, 600)
    everyone = ComparedPairs.of(amounts, predictions, rng, most=600 * 600).xauc(np.ones(600))
    drawn = ComparedPairs.of(amounts, predictions, rng, most=50_000).xauc(np.ones(600))
    assert drawn == pytest.approx(everyone, abs=0.01)  # Standard error .002.


def test_rank_breaks_ties_by_id() -> None:
    scores = np.array([0.5, 0.5, 0.9, 0.5])
    ids = np.array([30, 10, 40, 20])
    assert [rank_of(scores, target, ids) for target in range(4)] == [3, 1, 0, 2]


def test_a_score_that_is_no_number_ranks_last() -> None:
    scores = np.array([np.nan, -5.0, 1.0])
    assert [rank_of(scores, target, np.arange(3)) for target in range(3)] == [2, 1, 0]


@settings(max_examples=50)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_ranks_are_a_permutation(values: list[int], random) -> None:
    ids = np.array(random.sample(range(100), len(values)))
    ranks = [rank_of(np.array(values, float), target, ids) for target in range(len(values))]
    assert sorted(ranks) == list(range(len(values)))


def test_hits_and_ndcg_see_only_the_first_k() -> None:
    ranks = np.array([0, 1, 2, 9])
    assert hits(ranks, 3).tolist() == [1, 1, 1, 0]
    assert ndcg(ranks, 3) == pytest.approx([1, 1 / math.log2(3), 0.5, 0])


def test_a_quotient_over_nothing_is_undefined() -> None:
    assert math.isnan(ratio(0.0, 0.0))
