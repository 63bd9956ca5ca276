"""Drift: the stability index and unseen ids, on samples with an obvious answer."""

import math
from dataclasses import replace

import numpy as np
import pytest

from feature_service.features.layout import CANDIDATE_FLOATS, Layout
from feature_service.features.view import Context
from feature_service.served.slate import ServedSlate
from tests.training.worlds import toy_world
from training.drift import KeptSlates, Window, is_stuck, measure_drift, sample_drift, stability_index, unseen_share

LAYOUT = Layout.from_strings(
    {"user_ids": ["user.id@1:int64:1"], "candidate_floats": ["room.viewers@1:float32:1", "room.pair@1:float32:2"]}
)


def slate(served_ms: int, user: int, floats: list[list[float]], layout: str = "a") -> ServedSlate:
    """A slate of a room a row."""
    return ServedSlate(
        request_id=f"request-{served_ms}",
        user_id=f"user-{user}",
        context=Context(),
        arm="",
        served_ms=served_ms,
        log_position=0,
        fingerprint="",
        ranker="mmoe",
        ranker_version=1,
        layout=layout,
        heads=(),
        rooms=(),
        tensors={"user_ids": np.array([[user]], np.int64), "candidate_floats": np.array(floats, np.float32)},
    )


def kept(slates: list[ServedSlate], most: int = 100, window: Window | None = None) -> KeptSlates:
    found = KeptSlates(window, most)
    for each in slates:
        found.offer(each, LAYOUT)
    return found


def test_the_same_numbers_have_not_drifted() -> None:
    numbers = np.arange(1_000, dtype=np.float32)
    assert stability_index(numbers, numbers) == 0
    assert stability_index(numbers, np.repeat(numbers, 3)) == pytest.approx(0, abs=1e-3)


def test_the_index_is_its_formula() -> None:
    # Two values, 3 : 1 before and 1 : 3 after; each is a decile and so a bin of its own, with half a value more:
    # p = (3.5, 1.5) / 5, q = (1.5, 3.5) / 5, PSI = 2 · (2 / 5) · ln(3.5 / 1.5).
    first, second = np.array([0, 0, 0, 1.0]), np.array([0, 1.0, 1, 1])
    assert stability_index(first, second) == pytest.approx(0.8 * math.log(3.5 / 1.5))


def test_a_feature_that_was_always_0_has_drifted_once_it_is_not() -> None:
    assert stability_index(np.zeros(100), np.r_[np.zeros(50), np.ones(50)]) > 0.25


def test_a_shift_by_a_deviation_is_much_and_by_a_hundredth_is_nothing() -> None:
    numbers = np.random.default_rng(1).normal(size=20_000)
    others = np.random.default_rng(2).normal(size=20_000)
    assert stability_index(numbers, others + 1.0) > 0.25
    assert stability_index(numbers, others + 0.01) < 0.01


def test_unseen_ids_are_those_that_the_first_window_lacks() -> None:
    assert unseen_share(np.array([1, 2, 0]), np.array([1, 3, 0, 4, 2])) == 0.5  # Of 1, 3, 4 and 2; 0 is no id.
    assert unseen_share(np.array([1]), np.array([0, 0])) == 0


def test_features_are_told_most_drifted_first() -> None:
    early = [slate(number, 1 + number % 4, [[number, 5.0, 0.0]]) for number in range(40)]
    late = [slate(100 + number, 1 + number % 8, [[number, 5.0, 900.0]]) for number in range(40)]
    found = measure_drift((Window(0, 100), Window(100, 200)), [kept(early + late)])
    assert found.slates == (40, 40)
    assert [(each.spec, each.measure) for each in found.features] == [
        ("room.pair@1:float32:2", "psi"),  # Its second number is another altogether; the first stays.
        ("user.id@1:int64:1", "unseen"),
        ("room.viewers@1:float32:1", "psi"),
    ]
    assert found.features[1].drift == 0.5
    assert found.features[2].drift == 0


def test_by_default_the_windows_are_the_two_halves_of_the_slates() -> None:
    selection = kept([slate(time_ms, 1, [[1, 1, 1]]) for time_ms in (10, 20, 500, 510, 520, 530)])
    first, second = selection.halves()
    assert (first, second) == (Window(10, 510), Window(510, 531))
    assert measure_drift((first, second), [selection]).slates == (3, 3)


def test_more_slates_than_are_kept_are_thinned_evenly() -> None:
    selection = kept([slate(time_ms, 1, [[1, 1, 1]]) for time_ms in range(100)], most=16)
    times_ms = [each.served_ms for each in selection.slates]
    assert times_ms == list(range(0, 100, 8))


def test_slates_outside_of_a_window_are_not_kept() -> None:
    selection = kept([slate(time_ms, 1, [[1, 1, 1]]) for time_ms in range(10)], window=Window(3, 5))
    assert [each.served_ms for each in selection.slates] == [3, 4]


def test_one_layout_more_leaves_the_features_that_both_windows_have() -> None:
    narrow = LAYOUT.select(["user_ids"])
    selection = kept([slate(1, 1, [[1, 1, 1]])])
    other = replace(slate(2, 2, [[1, 1, 1]], layout="b"), tensors={"user_ids": np.array([[2]], np.int64)})
    selection.offer(other, narrow)
    found = measure_drift((Window(0, 2), Window(2, 3)), [selection])
    assert [(each.spec, each.drift) for each in found.features] == [("user.id@1:int64:1", 1.0)]


def test_samples_drift_as_slates_do() -> None:
    before = toy_world(60, seed=1).samples
    tensors = before.candidates.tensors
    louder = tensors | {CANDIDATE_FLOATS: tensors[CANDIDATE_FLOATS].astype(np.float32) * np.float32(1_000)}
    after = replace(before, candidates=replace(before.candidates, tensors=louder))
    found = {each.spec.partition("@")[0]: each for each in sample_drift(before, after)}
    assert sample_drift(before, after)[0].spec.startswith("room.viewers@")
    assert found["room.viewers"].drift > 3
    assert (found["user.id"].measure, found["user.id"].drift) == ("unseen", 0)
    assert found["user.watched.dwell_s"].drift == pytest.approx(0, abs=1e-6)
    assert sample_drift(before.between(-2, -1), after) == ()


def test_a_number_that_varied_and_is_the_same_everywhere_is_stuck_but_a_rare_one_is_not() -> None:
    varied, rare = np.arange(100.0), np.r_[np.zeros(99), 1.0]
    assert is_stuck(varied, np.zeros(5))
    assert not is_stuck(varied, np.r_[np.zeros(5), 1.0])
    assert not is_stuck(rare, np.zeros(5))
    assert is_stuck(rare, np.ones(5))
