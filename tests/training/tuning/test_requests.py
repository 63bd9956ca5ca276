"""Logged requests for off-policy estimates."""

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from tests.training.worlds import toy_world
from training.data.errors import DataError
from training.data.samples import Samples
from training.heads import HEAD_NAMES
from training.tuning.requests import expected_reward, logged_requests, reward

NOTHING: Any = None
SAMPLES = toy_world(20, seed=1).samples


def refusal(samples: Samples, **objective: float) -> str:
    with pytest.raises(DataError) as error:
        logged_requests(NOTHING, NOTHING, samples, objective or {"enter": 1.0}, 10)
    return str(error.value)


def with_propensities(values: float | np.ndarray) -> Samples:
    propensity = np.broadcast_to(np.float32(values), len(SAMPLES.candidates.room)).astype(np.float32)
    return replace(SAMPLES, candidates=replace(SAMPLES.candidates, propensity=propensity))


def test_a_log_without_propensities_is_refused() -> None:
    assert "found none for 20 of 20" in refusal(SAMPLES)
    some = np.where(np.arange(len(SAMPLES.candidates.room)) < 80, 0.5, 0.0)
    assert "found none for 10 of 20" in refusal(with_propensities(some))


def test_a_log_that_left_nothing_to_chance_is_refused() -> None:
    assert "left to chance, found 1 for all" in refusal(with_propensities(1.0))


def test_an_objective_without_labels_is_refused() -> None:
    assert "known labels of ['gift']" in refusal(with_propensities(0.5), gift=1.0)


def test_a_reward_adds_up_what_outcomes_are_worth() -> None:
    labels = np.zeros((2, len(HEAD_NAMES)), np.float32)
    labels[:, HEAD_NAMES.index("watch_time")] = 30, 60
    labels[1, HEAD_NAMES.index("gift_value")] = 7
    assert reward(labels, {"watch_time": 0.1, "gift_value": 2.0}).tolist() == pytest.approx([3, 20])


def test_what_is_expected_of_who_entered_counts_with_the_chance_to_enter() -> None:
    predictions = np.array([[0.5, 40.0, 0.25]], np.float32)
    found = expected_reward(("enter", "watch_time", "like"), predictions, {"watch_time": 1.0, "like": 8.0, "gift": 1.0})
    assert cast(float, found[0]) == pytest.approx(0.5 * 40 + 8 * 0.25)
