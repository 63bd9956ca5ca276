"""Bootstrap intervals over users."""

import numpy as np
import pytest

from training.bootstrap import bootstrap, bootstrap_interval, interval


def test_interval_of_a_mean_is_about_two_standard_errors_each_way() -> None:
    values = np.random.default_rng(1).normal(0, 1, 2_500)  # Standard error 1/50.
    found = bootstrap_interval(lambda counts: float(counts @ values / counts.sum()), 2_500, seed=0, replicates=1_000)
    assert found is not None
    assert found.high - found.low == pytest.approx(4 * 0.0196, rel=0.15)
    assert found.low < values.mean() < found.high


def test_rows_of_one_user_are_not_independent() -> None:
    # 50 users with ten equal rows each: resampling users must see the spread of 50 values, not of 500.
    values = np.random.default_rng(2).normal(0, 1, 50)
    user = np.repeat(np.arange(50), 10)
    row_values = values[user]
    found = bootstrap_interval(
        lambda counts: float(counts[user] @ row_values / counts[user].sum()), 50, seed=0, replicates=1_000
    )
    assert found is not None
    assert found.high - found.low == pytest.approx(2 * 1.96 * values.std() / np.sqrt(50), rel=0.2)


def test_same_seed_gives_the_same_draws() -> None:
    def statistic(counts: np.ndarray) -> np.ndarray:
        return counts[:3].astype(float)

    assert np.array_equal(bootstrap(statistic, 20, 7, 10), bootstrap(statistic, 20, 7, 10))
    assert not np.array_equal(bootstrap(statistic, 20, 7, 10), bootstrap(statistic, 20, 8, 10))


def test_every_draw_has_as_many_users_as_there_are() -> None:
    assert (bootstrap(lambda counts: np.array([float(counts.sum())]), 31, 0, 20) == 31).all()


def test_undefined_draws_are_left_out() -> None:
    found = interval(np.array([np.nan, 1.0, 1.0, np.nan]))
    assert found is not None
    assert (found.low, found.high) == (1.0, 1.0)
    assert interval(np.array([np.nan])) is None
