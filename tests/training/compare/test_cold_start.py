"""Recall of streamers whom nobody had entered."""

import numpy as np
import pytest

from training.compare.cold_start import ColdRanks, summarise
from training.compare.fresh_rule import CountBefore, Fresh
from training.data.samples import RoomVersions
from training.recall_baselines import Case

HOUR_MS = 3_600_000


def rooms_of(streamers: list[int], start_ms: list[int]) -> RoomVersions:
    start = np.array(start_ms, np.int64)
    keys = np.array(streamers, np.int64)
    return RoomVersions({}, np.arange(len(streamers)), keys, start, start + 9 * HOUR_MS)


def fresh_of(entered: list[int], rooms: RoomVersions, content: list[list[float]] | None = None) -> Fresh:
    """The rule after a visit a millisecond to each of these streamers, who were shown just then; 9 rooms before."""
    time_ms, streamer = np.arange(len(entered)), np.array(entered, np.int64)
    earlier = np.repeat(np.unique(rooms.streamer), 9)
    vectors = np.array(content or [[0.0]] * len(rooms.room), np.float32)
    visits = CountBefore.of(time_ms, streamer, rooms)
    broadcasts = CountBefore.of(np.full(len(earlier), -1), earlier, rooms)
    return Fresh(visits, visits, broadcasts, rooms.start_ms, vectors, np.array([[2.0]], np.float32), seed=1)


def share_of_first(fresh: Fresh) -> float:
    """How often the first of two rooms wins the lot."""
    wins = [np.argmax(fresh(Case(number, HOUR_MS, 0, 0), np.arange(2))) == 0 for number in range(500)]
    return float(np.mean(wins))


def test_fresh_draws_by_the_weight_of_the_channel():
    fresh = fresh_of([1] * 24, rooms_of([1, 2], [0, 0]))
    # 24 visits of 24 shown: 25/34 + .5/5 = .835; nothing shown: .1 + .5 = .6. The first wins with .835/1.435 = .582.
    # Three standard deviations: 3 · √(.582 · .418 / 500) = .066.
    assert share_of_first(fresh) == pytest.approx(0.582, abs=0.066)


def test_fresh_prefers_content_like_what_was_watched():
    fresh = fresh_of([], rooms_of([1, 2], [0, 0]), content=[[1.0], [0.0]])
    # Equal otherwise, and e² = 7.39 times the weight: .881, ± 3 · √(.881 · .119 / 500) = .043.
    assert share_of_first(fresh) == pytest.approx(0.881, abs=0.043)


def test_fresh_leaves_out_who_is_well_known_and_long_on_air_and_looks_at_no_later_visit():
    fresh = fresh_of([1] * 200, rooms_of([1, 1], [0, HOUR_MS]))
    assert np.isfinite(fresh(Case(0, HOUR_MS, 0, 0), np.arange(2))).tolist() == [False, True]
    assert np.isfinite(fresh(Case(0, 20, 0, 0), np.arange(1))).all()


def ranks(streamers: list[int], first: list[int], second: list[int]) -> ColdRanks:
    by_scorer = {"two_tower": np.array(first), "other": np.array(second)}
    both = {"all rooms": by_scorer, "cold rooms": by_scorer}
    return ColdRanks(np.array(streamers, np.int64), both, {"all rooms": 100.0, "cold rooms": 9.0})


def test_worlds_are_joined_and_the_first_scorer_is_compared_with_the_others():
    found = summarise([ranks([1, 2], [0, 4], [5, 0]), ranks([1, 1], [9, 2], [9, 9])], replicates=50)
    assert found.cases == (2, 2)
    assert found.streamers == (2, 1)
    recall, gain = found.recall["all rooms"]["visit"], found.gain["all rooms"]["visit"]["other"]
    # recall@5: hits 1 1 | 0 1 and 0 1 | 0 0.
    assert (recall["two_tower"].value, recall["other"].value, gain.value) == (0.75, 0.25, 0.5)
    assert recall["two_tower"].by_world == (1.0, 0.5)
    assert gain.by_world == (0.5, 0.5)


def test_streamer_who_draws_a_crowd_counts_no_more_than_another_in_a_mean_of_streamers():
    # Three visits of one streamer are found and one of another is not; by the other scorer the reverse.
    found = summarise([ranks([1, 1, 1, 2], [0, 0, 0, 9], [9, 9, 9, 0])], replicates=50)
    recall, gain = found.recall["all rooms"], found.gain["all rooms"]
    assert (recall["visit"]["two_tower"].value, recall["streamer"]["two_tower"].value) == (0.75, 0.5)
    assert (gain["visit"]["other"].value, gain["streamer"]["other"].value) == (0.5, 0.0)


def test_streamer_of_the_same_key_in_another_world_is_another_streamer():
    found = summarise([ranks([1, 1, 1], [0, 0, 0], [9, 9, 9]), ranks([1], [9], [9])], replicates=50)
    assert found.recall["all rooms"]["streamer"]["two_tower"].value == 0.5


def test_difference_is_drawn_with_the_streamers_that_both_scorers_share():
    # Half of the streamers are found by both, half by neither: recall varies from draw to draw, the difference never.
    firsts = [0, 9] * 10
    found = summarise([ranks(list(range(20)), firsts, firsts)])
    for per in ("streamer", "visit"):
        share, gain = found.recall["all rooms"][per]["two_tower"], found.gain["all rooms"][per]["other"]
        assert share.interval
        assert gain.interval
        assert share.interval.high > share.interval.low
        assert (gain.interval.low, gain.interval.high) == (0.0, 0.0)


@pytest.mark.parametrize("per", ["streamer", "visit"])
def test_cases_of_one_streamer_are_no_independent_witnesses(per: str):
    """A hundred hits of one streamer beside one miss of another: drawn by streamer, all may be hits, or all misses."""
    found = summarise([ranks([1] * 100 + [2], [0] * 100 + [9], [9] * 101)])
    share = found.recall["cold rooms"][per]["two_tower"]
    assert share.interval
    assert (share.interval.low, share.interval.high) == (0.0, 1.0)
