"""What channels find together, in the order of the merge and of scores."""

import numpy as np

from tests.training.compare.recall_worlds import cases_of, enters_of, found_of, rooms_of
from training.compare.found import by_scores, in_order, merged, scores_of
from training.compare.questions import Questions, among_live

ROOMS = rooms_of(*[(100 + number, number, 0, 1000) for number in range(6)])


def question() -> Questions:
    """One question whose six rooms are offered in the order of their keys; room 100 was entered."""
    return among_live(cases_of((10, 1, 0, 100, 0)), ROOMS, enters_of((5, 9, 0)))


def test_channels_are_merged_as_the_service_merges_them() -> None:
    channels = {"a": found_of([0, 1]), "b": found_of([2, 1]), "left out": found_of([5])}
    (candidates,) = merged(channels, {"a": 2, "b": 2}, {"b": 2.0}, 10)
    # 1 / 12 + 2 / 12 = 0.250; 2 / 11 = 0.182; 1 / 11.
    assert candidates.rows.tolist() == [1, 2, 0]
    assert in_order([candidates], 0.0).ranks(question()).tolist() == [2]


def test_scorer_orders_candidates_that_it_did_not_find_itself() -> None:
    candidates = merged({"a": found_of([4, 0, 2])}, {"a": 3}, {}, 3)
    scores = scores_of(question(), candidates, lambda _, rows: ROOMS.streamer[rows] % 4.0)
    assert by_scores(candidates, scores, 0.0).places[0].tolist() == [2, 4, 0]  # Scores 2, 0 and 0.


def test_score_that_is_no_number_comes_last() -> None:
    candidates = merged({"a": found_of([4, 0, 2])}, {"a": 3}, {}, 3)
    scores = [np.array([np.nan, -np.inf, 1.0], np.float32)]
    assert by_scores(candidates, scores, 0.0).places[0].tolist() == [2, 0, 4]
