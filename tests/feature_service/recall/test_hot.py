"""The channel `hot`."""

from feature_service.features.events import EventKind
from feature_service.recall.hot import Hot
from tests.feature_service.live_platform import LivePlatform, request


async def _recall(hot: Hot, platform: LivePlatform, at_s: float, limit: int = 10) -> list[str]:
    found = await hot.recall(request("viewer", at_s), platform.world, limit)
    return platform.rooms(found.rows)


def _steady_platform(until_s: int = 900) -> LivePlatform:
    """A head room with a visit a second, and a small one with a visit in twenty seconds."""
    platform = LivePlatform()
    platform.start("head/1")
    platform.start("small/1")
    for second in range(until_s):
        platform.enter("head/1", second)
        if second % 20 == 0:
            platform.enter("small/1", second)
    return platform


async def test_more_visited_room_comes_first() -> None:
    assert await _recall(Hot(), _steady_platform(), 900) == ["head/1", "small/1"]


async def test_pk_burst_lifts_a_room_within_two_seconds() -> None:
    platform, hot = _steady_platform(), Hot()
    assert await _recall(hot, platform, 900) == ["head/1", "small/1"]
    platform.enter("small/1", 900.2, times=100)
    assert await _recall(hot, platform, 900.7) == ["small/1", "head/1"]


async def test_burst_falls_back_within_some_minutes() -> None:
    platform, hot = _steady_platform(1200), Hot()
    platform.enter("small/1", 900, times=100)
    # Five half-lives of a minute leave 3 of the 100 visits; `test_heat` has the figures.
    assert await _recall(hot, platform, 1200) == ["head/1", "small/1"]


async def test_ranking_is_kept_for_half_a_second() -> None:
    platform, hot = _steady_platform(60), Hot()
    assert await _recall(hot, platform, 60) == ["head/1", "small/1"]
    platform.enter("small/1", 60, times=100)
    assert await _recall(hot, platform, 60.499) == ["head/1", "small/1"]
    assert await _recall(hot, platform, 60.5) == ["small/1", "head/1"]


async def test_room_that_ended_since_is_left_out_at_once() -> None:
    platform, hot = _steady_platform(60), Hot()
    await _recall(hot, platform, 60)
    platform.report(EventKind.ROOM_ENDED, 60, room_id="head/1")
    assert await _recall(hot, platform, 60.1, limit=1) == ["small/1"]


async def test_room_without_any_event_is_not_hot() -> None:
    platform = LivePlatform()
    platform.start("quiet/1")
    assert await _recall(Hot(), platform, 1) == []
