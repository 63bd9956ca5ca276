"""Measures over seeds, and differences of rows that were judged on the same users."""

import numpy as np
import pytest

from tests.training.test_evaluate import samples_of
from training.compare.ranking.measures import HeadMeasures, difference, measure, spread

USERS = [1, 1, 2, 2, 3, 3, 4, 4]
SAMPLES = samples_of(USERS, {"enter": [1, 0] * 4})
RIGHT = [0.9, 0.1] * 4


def judged(*predictions: float) -> HeadMeasures:
    return measure(np.array(predictions, np.float32)[:, None], SAMPLES, ["enter"])["enter"]


def test_a_metric_over_seeds_has_their_mean_and_half_their_range() -> None:
    # GAUC 1, and with one of the four users turned round 3/4.
    found = spread([judged(*RIGHT), judged(0.1, 0.9, *RIGHT[2:])], "gauc")
    assert found.mean == pytest.approx(0.875)
    assert found.half_range == pytest.approx(0.125)


def test_a_metric_that_a_seed_lacks_is_undefined() -> None:
    broken = judged(float("nan"), *RIGHT[1:])
    assert spread([judged(*RIGHT), broken], "auc").mean is None
    assert difference([broken], [judged(*RIGHT)], "auc").mean is None


def test_rows_that_predict_the_same_differ_by_nothing_whatever_users_are_drawn() -> None:
    # One user is wrong, so that the AUC itself changes with who is drawn.
    wrong = judged(0.1, 0.9, *RIGHT[2:])
    own, apart = spread([wrong], "auc").interval, difference([wrong], [wrong], "auc")
    assert own is not None
    assert own.low < own.high
    assert apart.interval is not None
    assert (apart.mean, apart.interval.low, apart.interval.high) == (0, 0, 0)


def test_a_difference_is_the_first_minus_the_second() -> None:
    found = difference([judged(*RIGHT)], [judged(0.1, 0.9, *RIGHT[2:])], "gauc")
    assert found.mean == pytest.approx(0.25)
    assert found.interval is not None
    assert found.interval.low >= 0
