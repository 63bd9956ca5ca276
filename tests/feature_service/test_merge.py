"""Merging the channels' rooms."""

import numpy as np

from feature_service.merge import merge
from tests.feature_service.live_platform import recalled


def test_each_channel_fills_its_quota() -> None:
    merged = merge([recalled("a", 1, 2, 3), recalled("b", 4, 5, 6)], {"a": 2, "b": 1}, 3)
    assert set(merged.rows.tolist()) == {1, 2, 4}


def test_channels_advance_in_proportion_and_ties_go_by_preference() -> None:
    merged = merge([recalled("b", 4, 5), recalled("a", 1, 2, 3, 9)], {"a": 4, "b": 2}, 10)
    # Turns of a: 0, 1/4, 2/4, 3/4; of b: 0, 1/2.
    assert merged.rows.tolist() == [1, 4, 2, 3, 5, 9]


def test_unfilled_quota_goes_to_the_others() -> None:
    merged = merge([recalled("a", 1), recalled("b", 4, 5, 6, 7)], {"a": 3, "b": 1}, 4)
    assert merged.rows.tolist() == [1, 4, 5, 6]


def test_room_of_two_channels_stands_once_and_remembers_both() -> None:
    merged = merge([recalled("a", 1, 2), recalled("b", 3, 2)], {"a": 2, "b": 2}, 10)
    assert merged.channels == ("a", "b")
    assert merged.rows.tolist() == [1, 3, 2]
    assert merged.ranks.tolist() == [[0, -1], [-1, 0], [1, 1]]
    np.testing.assert_array_equal(merged.scores, np.array([[1, np.nan], [np.nan, 1], [0.5, 0.5]], np.float32))


def test_room_of_two_channels_takes_its_best_place() -> None:
    merged = merge([recalled("a", 1, 2, 3), recalled("b", 3)], {"a": 3, "b": 3}, 10)
    assert merged.rows.tolist() == [1, 3, 2]
    assert merged.ranks.tolist() == [[0, -1], [2, 0], [1, -1]]


def test_never_more_than_the_limit() -> None:
    merged = merge([recalled("a", *range(1, 100))], {"a": 99}, 7)
    assert merged.rows.tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert merged.ranks.shape == (7, 1)


def test_late_channel_is_missing_but_has_its_column() -> None:
    merged = merge([recalled("b", 3)], {"a": 5, "b": 5}, 10)
    assert merged.rows.tolist() == [3]
    assert merged.ranks.tolist() == [[-1, 0]]


def test_fallback_channel_without_a_quota_is_taken_too() -> None:
    merged = merge([recalled("hot", 3, 4)], {"a": 5}, 10)
    assert merged.channels == ("a", "hot")
    assert merged.rows.tolist() == [3, 4]


def test_nothing_recalled_is_no_candidate() -> None:
    assert merge([], {"a": 5}, 10).rows.tolist() == []
    assert merge([recalled("a")], {"a": 5}, 10).rows.tolist() == []
