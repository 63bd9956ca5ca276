"""The channel `watched`."""

import math

import pytest

from feature_service.features.events import EventKind
from feature_service.recall.watched import Watched
from feature_service.stages import Recalled
from tests.feature_service.live_platform import LivePlatform, request

HOUR_S = 3_600
DAY_S = 24 * HOUR_S


async def _recall(platform: LivePlatform, user_id: str = "viewer", at_s: float = 600) -> Recalled:
    return await Watched().recall(request(user_id, at_s), platform.world, 10)


async def _rooms(platform: LivePlatform, at_s: float) -> list[str]:
    return platform.rooms((await _recall(platform, at_s=at_s)).rows)


def _start(platform: LivePlatform, *streamers: str, at_s: float = 0) -> None:
    for streamer in streamers:
        platform.start(f"{streamer}/1", at_s, lease_ms=100 * DAY_S * 1000)


async def test_score_is_the_rule_of_visits_habit_and_pause() -> None:
    platform = LivePlatform()
    _start(platform, "anna", "ben")
    platform.enter("anna/1", 0, user_id="viewer", times=4)
    platform.enter("ben/1", 6 * HOUR_S, user_id="viewer")
    found = await _recall(platform, at_s=12 * HOUR_S)
    # One broadcast each, and five in advance. The visits of half a day ago decay by 2^(−1/14), those of a quarter by
    # 2^(−1/28). A room stands once in the history: a visit each, half a day (kernel e^(−1 − 1)) and a quarter
    # (e^(0 − 1)) away, with two visits of 0.47 in advance. The pauses of 12 and 6 hours leave 1 − 0.8/4 and
    # 1 − 0.8/2.
    anna = math.sqrt(4 * (2 ** (-1 / 14) + 0.25) / 6) * (1 + 2 * (math.exp(-2) + 0.94) / 3) * 0.8
    ben = math.sqrt((2 ** (-1 / 28) + 0.25) / 6) * (1 + 2 * (math.exp(-1) + 0.94) / 3) * 0.6
    assert platform.rooms(found.rows) == ["anna/1", "ben/1"]
    assert found.scores.tolist() == pytest.approx([anna, ben], rel=0.01)  # The counters are exact within 1 %.


async def test_streamer_of_this_hour_comes_before_the_one_of_another() -> None:
    platform = LivePlatform()
    _start(platform, "morning", "evening")
    platform.enter("morning/1", 8 * HOUR_S, user_id="viewer")
    platform.enter("evening/1", 20 * HOUR_S, user_id="viewer")
    assert await _rooms(platform, 3 * DAY_S + 8 * HOUR_S) == ["morning/1", "evening/1"]
    assert await _rooms(platform, 3 * DAY_S + 20 * HOUR_S) == ["evening/1", "morning/1"]


async def test_whom_the_user_has_just_left_waits_for_another_day() -> None:
    platform = LivePlatform()
    _start(platform, "yesterday", "now")
    platform.enter("yesterday/1", 0, user_id="viewer")
    platform.enter("now/1", DAY_S, user_id="viewer")
    assert await _rooms(platform, DAY_S + 60) == ["yesterday/1", "now/1"]
    assert await _rooms(platform, 3 * DAY_S) == ["now/1", "yesterday/1"]


async def test_who_is_seldom_on_air_comes_before_who_always_is() -> None:
    platform = LivePlatform()
    for number in range(20):
        platform.start(f"always/{number}", number)
    _start(platform, "seldom", at_s=20)
    platform.enter("always/19", 30, user_id="viewer", times=2)
    platform.enter("seldom/1", 30, user_id="viewer", times=2)
    # 2 / (20 + 5) visits a broadcast against 2 / (1 + 5).
    assert await _rooms(platform, 60) == ["seldom/1", "always/19"]


async def test_visits_of_long_ago_count_a_quarter() -> None:
    platform = LivePlatform()
    _start(platform, "old", "new")
    platform.enter("old/1", 0, user_id="viewer", times=7)
    platform.enter("new/1", 70 * DAY_S, user_id="viewer", times=2)
    # Four days and ten weeks: 7 · 1/4 (and a thousandth) against 2 · (1/4 + 2^(−4/7)).
    assert await _rooms(platform, 74 * DAY_S) == ["new/1", "old/1"]


async def test_known_streamer_is_found_in_her_new_room() -> None:
    platform = LivePlatform()
    platform.start("anna/1")
    platform.enter("anna/1", 10, user_id="viewer")
    platform.report(EventKind.ROOM_ENDED, 20, room_id="anna/1")
    platform.start("anna/2", 30)
    assert platform.rooms((await _recall(platform)).rows) == ["anna/2"]


async def test_follow_alone_is_no_visit() -> None:
    platform = LivePlatform()
    platform.start("anna/1")
    platform.follow("viewer", "anna")
    assert (await _recall(platform)).rows.tolist() == []


async def test_new_user_has_watched_nothing() -> None:
    platform = LivePlatform()
    platform.start("anna/1")
    platform.enter("anna/1", user_id="other")
    assert (await _recall(platform)).rows.tolist() == []
