"""The channel `hot`."""

from feature_service.features.events import EventKind
from feature_service.recall.hot import Hot
from tests.feature_service.live_platform import LivePlatform, request


async def _recall(hot: Hot, platform: LivePlatform, at_s: float, limit: int = 10, region: str = "") -> list[str]:
    found = await hot.recall(request("viewer", at_s, region=region), platform.world, limit)
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


async def test_newcomer_who_heats_up_stands_above_a_head_streamers_usual_evening() -> None:
    platform = LivePlatform()
    for number in range(3):
        platform.start(f"head/old{number}", number)
        platform.enter(f"head/old{number}", number, times=400)
        platform.report(EventKind.ROOM_ENDED, number + 0.5, room_id=f"head/old{number}")
    platform.start("head/1", 10)
    platform.start("new/1", 10)
    for second in range(10, 900):
        platform.enter("head/1", second)
        if second % 2 == 0:
            platform.enter("new/1", second)
    # Half of the head's visits, at the same steady rate: but the head has as many as ever, the newcomer had none.
    assert await _recall(Hot(), platform, 900) == ["new/1", "head/1"]


async def test_large_category_makes_way_behind_its_quota() -> None:
    platform = LivePlatform()
    for number in range(30):
        platform.start(f"game{number}/1", category="game")
        platform.enter(f"game{number}/1", times=20 if number < 25 else 5)
        platform.start(f"quiet{number}/1")
    platform.start("song/1", category="singing")
    platform.enter("song/1", times=17)
    # The score is 210/30 · √(20 · 30 / 15) = 44.3 of a warm game, 180/27 · √(17 · 27 / 14.25) = 37.8 of the song. The
    # first twenty games precede it; the 23rd counts 20/23 of 44.3, which is 38.5, the 24th 20/24, which is 36.9.
    found = await _recall(Hot(), platform, 1, limit=100)
    assert found.index("song/1") == 23
    assert len(found) == 31


async def test_rooms_of_the_users_region_come_first_and_others_stay() -> None:
    platform = LivePlatform()
    platform.start("here/1")
    platform.start("there/1")
    platform.enter("here/1", times=10, region="JP")
    platform.enter("there/1", times=12, region="BR")
    assert await _recall(Hot(), platform, 1) == ["there/1", "here/1"]
    assert await _recall(Hot(), platform, 1, region="JP") == ["here/1", "there/1"]
    assert await _recall(Hot(), platform, 1, region="FR") == ["there/1", "here/1"]


async def test_regions_are_ranked_side_by_side_within_one_refresh() -> None:
    platform, hot = LivePlatform(), Hot()
    for room, region in (("here/1", "JP"), ("there/1", "BR")):
        platform.start(room)
        platform.enter(room, times=10, region=region)
    assert await _recall(hot, platform, 1) == ["here/1", "there/1"]
    assert await _recall(hot, platform, 1, region="JP") == ["here/1", "there/1"]
    assert await _recall(hot, platform, 1.1, region="BR") == ["there/1", "here/1"]
