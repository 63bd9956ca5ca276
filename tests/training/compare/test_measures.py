"""Measures of a comparison: values worked out by hand."""

import math

import numpy as np
import pytest

from tests.training.compare.recall_worlds import cases_of, enters_of, found_of, rooms_of
from training.compare.found import NOT_FOUND, ask, in_order, merged
from training.compare.measures import gini, hand_off, lorenz, measure
from training.compare.questions import Questions, among_live
from training.recall_baselines import Case

ROOMS = rooms_of(*[(100 + number, number, 0, 1000) for number in range(20)])


@pytest.fixture
def questions() -> Questions:
    """Two questions of twenty rooms: the targets stand at places 0 and 3; the first streamer is known to the viewer."""
    return among_live(cases_of((10, 1, 0, 100, 0), (20, 2, 1, 103, 3)), ROOMS, enters_of((5, 1, 0)))


def test_scorer_s_rooms_come_by_descending_score_and_ties_by_room_key(questions: Questions) -> None:
    def scorer(_case: Case, rows: np.ndarray) -> np.ndarray:
        return np.where(rows == 7, 2.0, np.where(rows < 3, 1.0, -np.inf))

    found = ask(questions, scorer, ROOMS, most=3)
    assert found.places[0].tolist() == [7, 0, 1]
    assert found.ranks(questions).tolist() == [1, NOT_FOUND]


def test_scorer_of_the_wrong_shape_is_refused(questions: Questions) -> None:
    with pytest.raises(ValueError, match="expected scores of shape"):
        ask(questions, lambda _case, rows: np.zeros(len(rows) + 1), ROOMS, most=3)


def test_quality_is_of_the_target_s_rank_by_segment(questions: Questions) -> None:
    found = found_of([5, 0], [1, 2])
    quality = measure(found, questions, ROOMS, np.zeros(0, np.int64)).quality
    # The repeat's target is second: 1 / log2(3). The new one's is not found. k = 1 alone is at most a tenth of twenty.
    assert quality["repeat"] == pytest.approx({"recall@1": 0.0, "ndcg@10": 1 / math.log2(3), "hit_rate@10": 1.0})
    assert quality["new"] == pytest.approx({"recall@1": 0.0, "ndcg@10": 0.0, "hit_rate@10": 0.0})
    assert quality["all"]["ndcg@10"] == pytest.approx(1 / math.log2(3) / 2)


def test_exposure_counts_streamers_shown_and_those_nobody_had_entered(questions: Questions) -> None:
    exposure = measure(found_of([0, 1], [0, 2]), questions, ROOMS, known=np.array([0, 1])).exposure
    assert exposure.coverage == pytest.approx(3 / 20)
    assert exposure.cold_share == pytest.approx(1 / 4)


def test_gini_and_lorenz_tell_equal_from_unequal() -> None:
    assert gini(np.array([3, 3, 3, 3])) == pytest.approx(0)
    # One of four has all: (2 · 4 − 4 − 1) · 8 / (4 · 8) = 3 / 4.
    assert gini(np.array([0, 8, 0, 0])) == pytest.approx(0.75)
    curve = lorenz(np.array([1, 3]))
    assert (curve[0], curve[50], curve[100]) == pytest.approx((0, 0.25, 1))


def test_hand_off_is_what_recall_finds_and_what_of_it_ranking_keeps(questions: Questions) -> None:
    together = found_of(list(range(12)), list(range(12)))
    order = found_of([5, 0], [*range(4, 15), 3])
    # Both targets are handed over; the ranker puts the first one second, the other one twelfth.
    assert hand_off(together, order, questions) == (1.0, 0.5)


def test_merge_is_the_service_s_with_quotas_and_a_limit() -> None:
    channels = {"near": found_of([4, 5, 6]), "hot": found_of([7, 4, 8]), "unused": found_of([9])}
    candidates = merged(channels, {"near": 2, "hot": 1}, {}, limit=4)
    # Ranks over quotas: near 0, ½, 1; hot 0, 1, 2. Equal turns go to `near`, which stands first; 4 comes once.
    assert in_order(candidates, 1.0).places[0].tolist() == [4, 7, 5, 6]
    assert candidates[0].ranks[0].tolist() == [0, 1]
