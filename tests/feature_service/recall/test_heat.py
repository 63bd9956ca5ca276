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


def test_score_of_a_usual_evening_is_about_the_root_of_the_size() -> None:
    # A lift of 1; √(1,000 · 1,010 / 1,260) and √(120 · 130 / 160).
    usual = np.array([1000.0, 120.0])
    expected = [(1000 * 1010 / 1260) ** 0.5, (120 * 130 / 160) ** 0.5]
    assert heat.Heat(usual / 10, usual).score(usual).tolist() == pytest.approx(expected)


def test_newcomer_of_a_third_of_the_visits_stands_above_a_head_streamers_usual_level() -> None:
    # √(1,000 · 1,010 / 1,260) = 28.3; √(320 · 330 / 90) = 34.3.
    head, newcomer = heat.Heat(np.array([100.0, 32.0]), np.array([1000.0, 320.0])).score(np.array([1000.0, 0.0]))
    assert newcomer > head


def test_newcomer_of_a_sixth_of_the_visits_stays_below_a_head_streamers_usual_level() -> None:
    # √(160 · 170 / 50) = 23.3: what is unusual counts as five times its size, no more.
    head, newcomer = heat.Heat(np.array([100.0, 16.0]), np.array([1000.0, 160.0])).score(np.array([1000.0, 0.0]))
    assert newcomer < head


def test_usual_heat_is_shared_out_as_the_visits_to_earlier_broadcasts() -> None:
    platform = LivePlatform()
    for streamer, broadcasts, visits in (("head", 2, 45), ("small", 1, 10)):
        for number in range(broadcasts):
            platform.start(f"{streamer}/old{number}")
            platform.enter(f"{streamer}/old{number}", times=visits)
    platform.start("head/1", 10)
    platform.start("small/1", 10)
    platform.start("new/1", 10)
    platform.enter("new/1", 10, times=50)
    rows = platform.rows("head/1", "small/1", "new/1")
    # Visits a broadcast, with the present one: 90 / 3 and 10 / 2, none of the newcomer. So 30 : 5 : 0 of 70.
    usual = heat.usual_heat(platform.state, rows, platform.live.streamer_rows(rows), np.array([10.0, 10.0, 50.0]))
    assert usual.tolist() == pytest.approx([60, 10, 0])


def test_nobody_is_unusual_where_nobody_has_a_past() -> None:
    platform = LivePlatform()
    platform.start("anna/1")
    rows = platform.rows("anna/1")
    assert heat.usual_heat(platform.state, rows, platform.live.streamer_rows(rows), np.array([5.0])).tolist() == [0]


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
