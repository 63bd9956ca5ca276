"""What was answered in the last minutes."""

import pytest

from feature_service.admin.recent import MINUTES, RecentCalls


def test_calls_are_counted_by_method_and_status() -> None:
    recent = RecentCalls()
    for status in ("OK", "OK", "INVALID_ARGUMENT"):
        recent.call("Recommend", status, 5.0, now_s=10)
    recent.call("ReportEvents", "OK", 1.0, now_s=10)
    assert {method: calls for method, (calls, _) in recent.methods(now_s=20).items()} == {
        "Recommend": {"OK": 2, "INVALID_ARGUMENT": 1},
        "ReportEvents": {"OK": 1},
    }


def test_quantiles_are_within_a_tenth() -> None:
    recent = RecentCalls()
    for duration_ms in range(1, 101):
        recent.call("Recommend", "OK", float(duration_ms), now_s=0)
    _, times = recent.methods(now_s=0)["Recommend"]
    assert times.p50_ms == pytest.approx(50, rel=0.1)
    assert times.p95_ms == pytest.approx(95, rel=0.1)
    assert times.p99_ms == pytest.approx(99, rel=0.1)


def test_a_call_of_no_time_and_one_of_an_hour_have_a_place() -> None:
    recent = RecentCalls()
    recent.call("Recommend", "OK", 0.0, now_s=0)
    recent.call("Recommend", "OK", 3.6e6, now_s=0)
    assert recent.minutes(now_s=0)[-1].calls == 2


def test_minutes_stand_oldest_first_with_their_failures() -> None:
    recent = RecentCalls()
    recent.call("Recommend", "OK", 5.0, now_s=30)
    recent.call("Recommend", "UNAVAILABLE", 5.0, now_s=90)
    assert [(each.calls, each.failed) for each in recent.minutes(now_s=100)[-2:]] == [(1, 0), (1, 1)]
    assert len(recent.minutes(now_s=100)) == MINUTES


def test_what_is_older_is_forgotten_even_if_nothing_came_since() -> None:
    recent = RecentCalls()
    recent.call("Recommend", "OK", 5.0, now_s=0)
    recent.slate("FULL", ["rank"], now_s=0)
    later_s = 60.0 * MINUTES
    assert (recent.methods(later_s), recent.rungs(later_s), recent.degraded(later_s)) == ({}, {}, {})


def test_a_slate_counts_once_for_a_stage_whatever_it_had_to_do_without() -> None:
    recent = RecentCalls()
    recent.slate("FULL", ["recall.mf", "recall.mf", "rank"], now_s=0)
    recent.slate("HOT", [], now_s=0)
    assert recent.rungs(now_s=1) == {"FULL": 1, "HOT": 1}
    assert recent.degraded(now_s=1) == {"recall.mf": 1, "rank": 1}
