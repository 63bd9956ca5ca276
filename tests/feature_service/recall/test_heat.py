"""The heat of rooms."""

import numpy as np
import pytest

from feature_service.features.events import EventKind
from feature_service.recall import heat
from tests.feature_service.live_platform import NOON_MS, LivePlatform


def _at_ms(second: float) -> int:
    return NOON_MS + round(second * 1000)


def test_visits_decay_at_both_half_lives() -> None:
    platform = LivePlatform()
    platform.start("anna/1")
    platform.enter("anna/1", 0, times=8)
    now = heat.read(platform.state, platform.rows("anna/1"), _at_ms(120))
    # Two half-lives of a minute, and a fifth of ten minutes; the counters are exact within 1 %.
    assert now.minute.tolist() == pytest.approx([2.0], rel=0.01)
    assert now.ten_minutes.tolist() == pytest.approx([8 * 2**-0.2], rel=0.01)


def test_five_comments_count_as_one_visit() -> None:
    platform = LivePlatform()
    platform.start("anna/1")
    for _ in range(5):
        platform.report(EventKind.COMMENT, 0, room_id="anna/1", user_id="someone")
    assert heat.read(platform.state, platform.rows("anna/1"), _at_ms(0)).minute.tolist() == pytest.approx([1], rel=0.01)


def test_steady_room_has_a_lift_of_one() -> None:
    # At a constant rate the decayed counts stand as the half-lives do: 1 to 10.
    assert heat.Heat(np.array([50.0]), np.array([500.0])).lift().tolist() == [1.0]


def test_score_damps_the_size_of_a_steady_room() -> None:
    # A hundred times the visits are ten times the score.
    assert heat.Heat(np.array([1.0, 100.0]), np.array([10.0, 1000.0])).score().tolist() == [10**0.5, 1000**0.5]


def test_lift_of_a_burst_stays_below_ten() -> None:
    # All 90 visits in this moment: (900 + 10) / (90 + 10).
    assert heat.Heat(np.array([90.0]), np.array([90.0])).lift().tolist() == pytest.approx([9.1])


def test_lift_of_a_burst_falls_with_the_one_minute_half_life() -> None:
    platform = LivePlatform()
    platform.start("anna/1")
    platform.enter("anna/1", 0, times=100)
    rows = platform.rows("anna/1")
    lifts = [heat.read(platform.state, rows, _at_ms(60 * minute)).lift()[0] for minute in range(4)]
    # (10 · 100 · 2^−minute + 10) / (100 · 2^−(minute / 10) + 10).
    assert lifts == pytest.approx([1010 / 110, 510 / 103.303, 260 / 97.055, 135 / 91.225], rel=0.02)


def test_thermometer_reads_what_a_full_reading_reads() -> None:
    platform = LivePlatform()
    thermometer = heat.Thermometer()
    for number in range(100):  # More rooms than the records' first capacity.
        platform.start(f"s{number}/1")
    rows = platform.live.rows(_at_ms(0))
    for second in range(0, 300, 7):
        platform.enter(f"s{second % 100}/1", second, times=1 + second % 3)
        kept = thermometer.read(platform.state, rows, _at_ms(second))
        full = heat.read(platform.state, rows, _at_ms(second))
        # The counters' table is exact within 1/64 of a half-life, which is 1.1 %.
        assert kept.minute == pytest.approx(full.minute, rel=0.012, abs=1e-9)
        assert kept.ten_minutes == pytest.approx(full.ten_minutes, rel=0.012, abs=1e-9)


def test_thermometer_may_go_back_in_time() -> None:
    platform = LivePlatform()
    platform.start("anna/1")
    platform.enter("anna/1", 0, times=8)
    rows, thermometer = platform.rows("anna/1"), heat.Thermometer()
    thermometer.read(platform.state, rows, _at_ms(86_400))
    assert thermometer.read(platform.state, rows, _at_ms(60)).minute.tolist() == pytest.approx([4], rel=0.01)
