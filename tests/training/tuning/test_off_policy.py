"""Off-policy estimates against worlds whose rewards are known."""

import numpy as np
import pytest

from training.tuning.off_policy import Logged, difference, estimate

REQUESTS, ROOMS = 20_000, 6
RNG = np.random.default_rng(4)
TRUE = RNG.random((REQUESTS, ROOMS))
"""The probability that each room is entered."""


def world(expected: np.ndarray) -> Logged:
    """A log by a policy that draws the first place, and knows a little of the truth."""
    rng = np.random.default_rng(5)
    weight = np.exp(TRUE + rng.normal(size=TRUE.shape))
    weight /= weight.sum(axis=1, keepdims=True)
    shown = (weight.cumsum(axis=1) > rng.random((REQUESTS, 1))).argmax(axis=1)
    every = np.arange(REQUESTS)
    return Logged(
        user=rng.integers(0, 500, REQUESTS),
        first=every * ROOMS,
        shown=every * ROOMS + shown,
        propensity=weight[every, shown],
        reward=(rng.random(REQUESTS) < TRUE[every, shown]).astype(float),
        expected=expected.ravel(),
    )


@pytest.mark.parametrize("expected", [np.zeros_like(TRUE), 1.5 * TRUE - 0.3], ids=["no model", "a wrong model"])
def test_an_estimate_is_right_however_wrong_the_model(expected: np.ndarray) -> None:
    logged = world(expected)
    for scores in (TRUE, -TRUE, RNG.random(TRUE.shape)):
        truth = TRUE[np.arange(REQUESTS), scores.argmax(axis=1)].mean()
        found = estimate(logged, scores.ravel())
        assert found.value == pytest.approx(truth, abs=0.03)
        assert found.interval is not None
        assert found.interval.low < truth < found.interval.high


def test_a_good_model_makes_it_sharper() -> None:
    intervals = [estimate(world(each), TRUE.ravel()).interval for each in (np.zeros_like(TRUE), TRUE)]
    plain, robust = (each.high - each.low for each in intervals if each is not None)
    assert robust < 0.8 * plain


def test_the_better_policy_is_ahead_beyond_doubt() -> None:
    found = difference(world(TRUE), TRUE.ravel(), -TRUE.ravel())
    assert found.interval is not None
    assert found.interval.low > 0.5


def test_policies_that_choose_alike_do_not_differ() -> None:
    found = difference(world(TRUE), TRUE.ravel(), 2 * TRUE.ravel())
    assert (found.value, found.interval and found.interval.high) == (0, 0)


def logged(propensity: list[float], shown: list[int]) -> Logged:
    """Two requests, of two rooms and of three."""
    return Logged(
        np.array([0, 1]), np.array([0, 2]), np.array(shown), np.array(propensity), np.array([4.0, 8.0]), np.zeros(5)
    )


SCORES = np.array([1.0, 2.0, 5.0, 0.0, 5.0])


def test_the_best_of_each_request_is_chosen_and_the_first_of_equals() -> None:
    assert logged([0.5, 0.5], [0, 2]).choice(SCORES).tolist() == [1, 2]


def test_what_was_shown_counts_by_how_unlikely_it_was() -> None:
    found = logged([0.5, 0.25], [1, 2])
    assert found.earnings(SCORES).tolist() == [8.0, 32.0]
    assert found.effective_size(SCORES) == pytest.approx((2 + 4) ** 2 / (4 + 16))


def test_a_log_without_the_policys_choices_says_nothing() -> None:
    found = logged([0.5, 0.25], [0, 3])
    assert found.earnings(SCORES).tolist() == [0.0, 0.0]
    assert found.effective_size(SCORES) == 0.0
