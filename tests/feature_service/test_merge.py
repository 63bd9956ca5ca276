"""Merging the channels' rooms."""

from collections.abc import Mapping

import numpy as np

from feature_service.merge import merge
from feature_service.stages import Recalled
from tests.feature_service.live_platform import recalled


def who_gets_in(quotas: Mapping[str, int], *found: Recalled) -> list[int]:
    """The rooms in the order in which a growing limit lets them in."""
    rows: list[int] = []
    for limit in range(1, 1 + len(merge(found, quotas, {}, 100).rows)):
        (added,) = set(merge(found, quotas, {}, limit).rows.tolist()) - set(rows)
        rows.append(added)
    return rows


def test_each_channel_fills_its_quota() -> None:
    merged = merge([recalled("a", 1, 2, 3), recalled("b", 4, 5, 6)], {"a": 2, "b": 1}, {}, 3)
    assert set(merged.rows.tolist()) == {1, 2, 4}


def test_channels_advance_in_proportion_and_ties_go_by_preference() -> None:
    # Turns of a: 0, 1/4, 2/4, 3/4; of b: 0, 1/2.
    assert who_gets_in({"a": 4, "b": 2}, recalled("b", 4, 5), recalled("a", 1, 2, 3, 9)) == [1, 4, 2, 3, 5, 9]


def test_unfilled_quota_goes_to_the_others() -> None:
    assert who_gets_in({"a": 3, "b": 1}, recalled("a", 1), recalled("b", 4, 5, 6, 7)) == [1, 4, 5, 6, 7]


def test_room_of_two_channels_gets_in_at_its_best_place() -> None:
    assert who_gets_in({"a": 3, "b": 3}, recalled("a", 1, 2, 3), recalled("b", 3)) == [1, 3, 2]


def test_room_that_two_channels_find_stands_before_the_best_of_one() -> None:
    merged = merge([recalled("a", 1, 2), recalled("b", 3, 2)], {"a": 2, "b": 2}, {}, 10)
    # Rooms 1 and 3: 1/11 each; room 2: 1/12 + 1/12.
    assert merged.rows.tolist() == [2, 1, 3]


def test_room_stands_once_and_remembers_both_channels() -> None:
    merged = merge([recalled("a", 1, 2), recalled("b", 3, 2)], {"a": 2, "b": 2}, {}, 10)
    assert merged.channels == ("a", "b")
    assert merged.ranks.tolist() == [[1, 1], [0, -1], [-1, 0]]
    np.testing.assert_array_equal(merged.scores, np.array([[0.5, 0.5], [1, np.nan], [np.nan, 1]], np.float32))


def test_two_low_places_are_less_than_one_high_place() -> None:
    found = [recalled("a", *range(1, 32)), recalled("b", *range(32, 62), 31)]
    merged = merge(found, {"a": 31, "b": 31}, {}, 61)
    # Room 31 is the thirty-first of both: 2/41 = 0.049. The tenth of one has 1/20 = 0.050, the eleventh 1/21 = 0.048.
    assert merged.rows.tolist().index(31) == 20


def test_weight_lifts_what_a_channel_places() -> None:
    found = [recalled("a", 1, 2), recalled("b", 3, 4)]
    # b's: 2/11, 2/12; a's: 1/11, 1/12.
    assert merge(found, {"a": 2, "b": 2}, {"b": 2.0}, 10).rows.tolist() == [3, 4, 1, 2]


def test_weight_does_not_change_who_gets_in() -> None:
    found = [recalled("a", 1, 2, 3), recalled("b", 4, 5, 6)]
    merged = merge(found, {"a": 2, "b": 1}, {"b": 9.0}, 3)
    assert merged.rows.tolist() == [4, 1, 2]


def test_channels_of_weight_zero_keep_their_candidates_behind() -> None:
    assert merge([recalled("a", 1, 2), recalled("b", 3)], {"a": 2, "b": 1}, {"a": 0.0}, 10).rows.tolist() == [3, 1, 2]


def test_agreement_does_not_push_out_what_one_channel_finds() -> None:
    found = [recalled("a", 1, 2), recalled("b", 3, 2), recalled("fresh", 9)]
    assert set(merge(found, {"a": 1, "b": 1, "fresh": 1}, {}, 3).rows.tolist()) == {1, 3, 9}


def test_never_more_than_the_limit() -> None:
    merged = merge([recalled("a", *range(1, 100))], {"a": 99}, {}, 7)
    assert merged.rows.tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert merged.ranks.shape == (7, 1)


def test_what_the_limit_cuts_off_leaves_nothing_behind() -> None:
    merged = merge([recalled("a", 1, 2, 3), recalled("b", 2, 4, 1)], {"a": 3, "b": 1}, {}, 2)
    # Rooms 1 and 2 get in; room 1: 1/11 + 1/13 = 0.168, room 2: 1/12 + 1/11 = 0.174.
    assert merged.rows.tolist() == [2, 1]
    assert merged.ranks.tolist() == [[1, 0], [0, 2]]


def test_late_channel_is_missing_but_has_its_column() -> None:
    merged = merge([recalled("b", 3)], {"a": 5, "b": 5}, {}, 10)
    assert merged.rows.tolist() == [3]
    assert merged.ranks.tolist() == [[-1, 0]]


def test_fallback_channel_without_a_quota_is_taken_too() -> None:
    merged = merge([recalled("hot", 3, 4)], {"a": 5}, {}, 10)
    assert merged.channels == ("a", "hot")
    assert merged.rows.tolist() == [3, 4]


def test_nothing_recalled_is_no_candidate() -> None:
    assert merge([], {"a": 5}, {}, 10).rows.tolist() == []
    assert merge([recalled("a")], {"a": 5}, {}, 10).rows.tolist() == []
