"""What the arms are worth."""

import numpy as np
import pytest

from feature_service.features.events import Event, EventKind
from training.closed_loop.loop import Outcomes
from training.closed_loop.measures import compare_arms, values_of

NAMES = ("popularity", "oracle", "onair")


def test_gains_and_the_way_to_the_bound() -> None:
    arm = np.arange(3_000) % 3
    rng = np.random.default_rng(1)
    values = np.array([10.0, 20.0, 15.0])[arm] + rng.normal(size=3_000)
    found = compare_arms(NAMES, arm, values, np.zeros(3_000), baseline="popularity", bound="oracle")
    assert found["popularity"].interval is None
    assert found["onair"].gain == pytest.approx(0.5, abs=0.02)
    assert found["onair"].reached == pytest.approx(0.5, abs=0.02)
    interval = found["onair"].interval
    assert interval is not None
    assert 0.47 < interval.low < 0.5 < interval.high < 0.53


def test_what_viewers_did_before_is_taken_off() -> None:
    rng = np.random.default_rng(2)
    arm, before = np.arange(3_000) % 3, rng.gamma(1.0, 100.0, 3_000)
    values = before * 1.5 + np.array([50.0, 60.0, 55.0])[arm] + rng.normal(size=3_000)
    plain = compare_arms(NAMES, arm, values, np.zeros(3_000), baseline="popularity", bound="oracle")
    found = compare_arms(NAMES, arm, values, before, baseline="popularity", bound="oracle")
    widths = [each["onair"].interval.high - each["onair"].interval.low for each in (plain, found)]  # pyright: ignore
    assert widths[1] < widths[0] / 10
    # The mean viewer's 150 + 50; a difference of 5.
    assert found["onair"].gain == pytest.approx(5 / (1.5 * before.mean() + 50), abs=0.002)


def test_arms_that_do_the_same_are_not_told_apart() -> None:
    rng = np.random.default_rng(3)
    arm, values = np.arange(3_000) % 3, rng.gamma(1.0, 100.0, 3_000)
    found = compare_arms(NAMES, arm, values, np.zeros(3_000), baseline="popularity", bound="oracle")["onair"]
    assert found.interval is not None
    assert found.interval.low < 0 < found.interval.high


def test_viewers_without_a_value_are_left_out() -> None:
    arm = np.array([0, 1, 2, 0, 1, 2])
    values = np.array([1.0, 3.0, 2.0, np.nan, np.nan, np.nan])
    found = compare_arms(NAMES, arm, values, np.full(6, np.nan), baseline="popularity", bound="oracle")
    assert [each.mean for each in found.values()] == [1.0, 3.0, 2.0]
    assert found["onair"].reached == 0.5


def test_outcomes_are_of_the_viewer_whom_an_event_names() -> None:
    outcomes = Outcomes.none(3)
    outcomes.learn(Event("a", EventKind.LEAVE, 0, user_id="user-00001", watch_ms=2_500))
    outcomes.learn(Event("b", EventKind.LEAVE, 0, user_id="user-00001", watch_ms=500))
    outcomes.learn(Event("c", EventKind.GIFT, 0, user_id="user-00002", gift_value=7.0))
    outcomes.learn(Event("d", EventKind.ENTER, 0, user_id="user-00000"))
    outcomes.last_slate_ms[0] = 100
    outcomes.slates[0], outcomes.worth[0] = 4, 3.0
    values = values_of(outcomes, 100)
    assert np.array_equal(values["worth"], [0.75, np.nan, np.nan], equal_nan=True)
    assert values["watch_s"].tolist() == [0, 3, 0]
    assert values["gifts"].tolist() == [0, 0, 7]
    assert values["came_back"].tolist() == [1, 0, 0]
