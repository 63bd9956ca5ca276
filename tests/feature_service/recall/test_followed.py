"""The channel `followed`."""

from feature_service.features.events import EventKind
from feature_service.recall.followed import Followed
from tests.feature_service.live_platform import LivePlatform, request


async def _recall(platform: LivePlatform, user_id: str = "viewer", at_s: float = 60, limit: int = 10) -> list[str]:
    found = await Followed().recall(request(user_id, at_s), platform.world, limit)
    return platform.rooms(found.rows)


async def test_finds_the_rooms_on_air_of_followed_streamers_only() -> None:
    platform = LivePlatform()
    for room in ("anna/1", "ben/1", "carl/1"):
        platform.start(room)
    platform.follow("viewer", "anna")
    platform.follow("viewer", "ben")
    platform.follow("viewer", "off-air")
    platform.report(EventKind.ROOM_ENDED, 30, room_id="ben/1")
    assert await _recall(platform) == ["anna/1"]


async def test_unfollowing_takes_the_room_away() -> None:
    platform = LivePlatform()
    platform.start("anna/1")
    platform.follow("viewer", "anna", 1)
    platform.report(EventKind.UNFOLLOW, 2, user_id="viewer", streamer_id="anna")
    assert await _recall(platform) == []


async def test_most_visited_streamer_first_then_the_newest_broadcast() -> None:
    platform = LivePlatform()
    platform.start("early/1", 0)
    platform.start("late/1", 20)
    platform.start("friend/1", 10)
    for streamer in ("early", "late", "friend"):
        platform.follow("viewer", streamer)
    platform.enter("friend/1", 30, user_id="viewer")
    assert await _recall(platform) == ["friend/1", "late/1", "early/1"]
    assert await _recall(platform, limit=1) == ["friend/1"]


async def test_new_user_follows_nobody() -> None:
    platform = LivePlatform()
    platform.start("anna/1")
    assert await _recall(platform, "stranger") == []
