"""Evaluation of recall among the rooms live at a moment."""

import math

import numpy as np
import pytest

from training.data.samples import RoomVersions
from training.evaluate_recall import NoCaseError, RecallCases, evaluate_recall
from training.recall_baselines import Case, Enters, RecentPopularity, recall_baselines

HOUR_MS = 3_600_000
NO_ENTERS = Enters.of(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64))


def rooms_of(*rows: tuple[int, int, int, int]) -> RoomVersions:
    """Room versions from (room, streamer, start, stop)."""
    room, streamer, start, stop = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    return RoomVersions({}, room, streamer, start, stop)


def twenty_rooms() -> RoomVersions:
    """Rooms 100 … 119 of streamers 0 … 19, all live from 0 to 1000."""
    return rooms_of(*[(100 + number, number, 0, 1000) for number in range(20)])


def cases_of(*rows: tuple[int, int, int, int, int]) -> RecallCases:
    """Cases from (time, user, user row, room, streamer)."""
    return RecallCases(*(np.array(column, np.int64) for column in zip(*rows, strict=True)))


def enters_of(*rows: tuple[int, int, int]) -> Enters:
    """Enters from (time, user, streamer)."""
    return Enters.of(*(np.array(column, np.int64) for column in zip(*rows, strict=True)))


def by_room(case: Case, rows: np.ndarray) -> np.ndarray:
    """The first row is best."""
    return -rows.astype(float)


def test_recall_and_ndcg_of_known_ranks() -> None:
    # The scorer puts room 100 first and room 101 second: ranks 0, 1 and 5.
    cases = cases_of((10, 1, 0, 100, 0), (10, 2, 1, 101, 1), (10, 3, 2, 105, 5))
    report = evaluate_recall(cases, twenty_rooms(), {"order": by_room}, NO_ENTERS, ks=(1, 2))
    found = {name: estimate.value for name, estimate in report.metrics["order"]["all"].items()}
    assert found == pytest.approx(
        {
            "recall@1": 1 / 3,
            "recall@2": 2 / 3,
            "ndcg@1": 1 / 3,
            "ndcg@2": (1 + 1 / math.log2(3)) / 3,
            "hit_rate@1": 1 / 3,
            "hit_rate@2": 2 / 3,
        }
    )


def test_hit_rate_counts_requests_and_recall_their_targets() -> None:
    # One request ended in rooms 100 and 119, another one in 118.
    cases = cases_of((10, 1, 0, 100, 0), (10, 1, 0, 119, 19), (11, 1, 1, 118, 18))
    metrics = evaluate_recall(cases, twenty_rooms(), {"order": by_room}, NO_ENTERS, ks=(2,)).metrics["order"]["all"]
    assert metrics["recall@2"].value == pytest.approx(1 / 3)
    assert metrics["hit_rate@2"].value == pytest.approx(1 / 2)


def test_only_rooms_live_at_that_moment_are_ranked() -> None:
    rooms = rooms_of((1, 1, 0, 50), (1, 1, 50, 90), (2, 2, 0, 90), (3, 3, 60, 90), (4, 4, 0, 60))
    seen: list[list[int]] = []

    def scorer(case: Case, rows: np.ndarray) -> np.ndarray:
        seen.append(rows.tolist())
        return np.zeros(len(rows))

    report = evaluate_recall(cases_of((60, 1, 0, 1, 1), (40, 1, 1, 1, 1)), rooms, {"none": scorer}, NO_ENTERS)
    assert seen == [[0, 2, 4], [1, 2, 3]]  # In order of time; a room that stops at 60 is gone at 60.
    assert (report.candidates_mean, report.candidates_min, report.targets_added) == (3, 3, 0)


def test_a_target_that_is_not_on_air_is_added_with_its_last_version_and_counted() -> None:
    rooms = rooms_of((1, 1, 0, 10), (1, 1, 10, 20), (1, 1, 90, 95), (2, 2, 0, 99), (3, 3, 70, 80))
    seen: list[list[int]] = []

    def scorer(case: Case, rows: np.ndarray) -> np.ndarray:
        seen.append(rows.tolist())
        return np.zeros(len(rows))

    cases = cases_of((50, 1, 0, 1, 1), (60, 1, 1, 3, 3))
    report = evaluate_recall(cases, rooms, {"none": scorer}, NO_ENTERS)
    assert seen == [[3, 1], [3, 4]]  # Room 3 has no version before: its first one stands in.
    assert report.targets_added == 2


def test_a_target_without_any_version_is_left_out_and_counted() -> None:
    cases = cases_of((10, 1, 0, 100, 0), (10, 1, 1, 7, 7))
    report = evaluate_recall(cases, twenty_rooms(), {"order": by_room}, NO_ENTERS)
    assert (report.cases_given, report.cases, report.unknown_rooms) == (2, 1, 1)


def test_no_case_at_all_is_an_error() -> None:
    with pytest.raises(NoCaseError, match="expected an entered room with a version, received 1 cases without"):
        evaluate_recall(cases_of((10, 1, 1, 7, 7)), twenty_rooms(), {"order": by_room}, NO_ENTERS)


def test_k_is_at_most_a_tenth_of_the_candidates() -> None:
    report = evaluate_recall(
        cases_of((10, 1, 0, 100, 0)), twenty_rooms(), {"order": by_room}, NO_ENTERS, ks=(1, 2, 3, 10)
    )
    assert (report.ks, report.ks_left_out) == ((1, 2), (3, 10))
    assert "recall@3" not in report.metrics["order"]["all"]


def test_new_and_repeat_streamers_stand_apart() -> None:
    # User 1 entered streamer 0 before; streamer 5 only at the very moment of the case.
    enters = enters_of((5, 1, 0), (10, 1, 5), (5, 2, 5))
    cases = cases_of((10, 1, 0, 100, 0), (10, 1, 0, 105, 5))
    report = evaluate_recall(cases, twenty_rooms(), {"order": by_room}, enters, ks=(1,))
    assert report.segments["repeat"].cases == 1
    assert report.segments["new"].cases == 1
    assert not report.segments["all"].comparable
    assert report.metrics["order"]["repeat"]["recall@1"].value == 1
    assert report.metrics["order"]["new"]["recall@1"].value == 0


def test_whole_requests_are_drawn_up_to_the_bound() -> None:
    rows = [(10 + request, request, request, 100 + target, target) for request in range(30) for target in range(2)]
    first, second = (
        evaluate_recall(cases_of(*rows), twenty_rooms(), {"order": by_room}, NO_ENTERS, most_cases=11) for _ in range(2)
    )
    assert (first.cases_given, first.cases, first.users) == (60, 10, 5)
    assert first == second


def test_a_scorer_that_loses_candidates_is_named() -> None:
    with pytest.raises(ValueError, match=r"broken: expected scores of shape \(20,\), received \(3,\)"):
        evaluate_recall(
            cases_of((10, 1, 0, 100, 0)), twenty_rooms(), {"broken": lambda case, rows: np.zeros(3)}, NO_ENTERS
        )


def test_baselines_see_nothing_at_or_after_the_moment() -> None:
    rooms = rooms_of((1, 1, 0, 99), (2, 2, 0, 99), (3, 3, 0, 99))
    enters = enters_of((10, 1, 1), (20, 1, 2), (20, 1, 2), (30, 1, 3), (15, 2, 2))
    scorers = recall_baselines(enters, rooms, trained_until_ms=20)
    case, rows = Case(0, 20, 1, 0), np.arange(3)
    assert scorers["popularity"](case, rows).tolist() == [1, 1, 0]
    assert scorers["repeat_visits"](case, rows).tolist() == [1, 0, 0]
    assert scorers["recent_popularity"](case, rows) == pytest.approx([1, 1, 0], abs=1e-4)  # Milliseconds ago.
    later = Case(0, 31, 1, 0)
    assert scorers["popularity"](later, rows).tolist() == [1, 1, 0]
    assert scorers["repeat_visits"](later, rows).tolist() == [1, 2, 1]


def test_recent_popularity_halves_every_half_life() -> None:
    rooms = rooms_of((1, 1, 0, 99), (2, 2, 0, 99))
    enters = enters_of((0, 1, 1), (HOUR_MS, 1, 2), (2 * HOUR_MS, 1, 2))
    scorer = RecentPopularity.of(enters, rooms, half_life_ms=HOUR_MS)
    assert scorer(Case(0, 3 * HOUR_MS, 1, 0), np.arange(2)) == pytest.approx([1 / 8, 1 / 4 + 1 / 2])


def test_random_order_repeats_for_a_case_and_differs_between_cases() -> None:
    scorer = recall_baselines(NO_ENTERS, twenty_rooms(), 0, seed=3)["random"]
    first, again, other = (scorer(Case(number, 10, 1, 0), np.arange(20)).tolist() for number in (0, 0, 1))
    assert first == again
    assert first != other


def test_random_order_finds_a_tenth_in_a_tenth() -> None:
    rng = np.random.default_rng(1)
    rows = [(10, user, user, 100 + target, target) for user, target in enumerate(rng.integers(0, 20, 2_000).tolist())]
    scorers = recall_baselines(NO_ENTERS, twenty_rooms(), 0)
    report = evaluate_recall(cases_of(*rows), twenty_rooms(), scorers, NO_ENTERS, ks=(2,))
    estimate = report.metrics["random"]["all"]["recall@2"]
    assert estimate.value == pytest.approx(0.1, abs=0.02)  # Standard error .0067.
    assert estimate.interval is not None
    assert estimate.interval.high - estimate.interval.low == pytest.approx(4 * 0.0067, rel=0.25)
