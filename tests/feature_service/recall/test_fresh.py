"""The channel `fresh`."""

from collections import Counter

from feature_service.features.events import EventKind
from feature_service.recall.fresh import Fresh
from tests.feature_service.live_platform import LivePlatform, request


async def _recall(platform: LivePlatform, at_s: float, request_id: str = "q", limit: int = 10) -> list[str]:
    found = await Fresh().recall(request("viewer", at_s, request_id=request_id), platform.world, limit)
    return platform.rooms(found.rows)


def _broadcasts(platform: LivePlatform, streamer: str, rooms: int, entries: int) -> None:
    """Past broadcasts of a streamer, with entries in all."""
    for number in range(rooms):
        platform.start(f"{streamer}/old{number}", number)
        platform.report(EventKind.ROOM_ENDED, number + 1, room_id=f"{streamer}/old{number}")
    platform.enter(f"{streamer}/old0", 0.5, times=entries)


async def test_known_streamer_is_fresh_for_ten_minutes_and_a_newcomer_for_longer() -> None:
    platform = LivePlatform()
    _broadcasts(platform, "known", rooms=5, entries=200)
    platform.start("known/1", 100)
    platform.start("newcomer/1", 100)
    assert set(await _recall(platform, 101)) == {"known/1", "newcomer/1"}
    assert await _recall(platform, 100 + 601) == ["newcomer/1"]


async def test_room_is_found_within_half_a_second_of_its_start() -> None:
    platform, fresh = LivePlatform(), Fresh()
    platform.start("first/1")
    await fresh.recall(request("viewer", 0), platform.world, 10)
    platform.start("second/1", 0.1)
    found = await fresh.recall(request("viewer", 0.5), platform.world, 10)
    assert set(platform.rooms(found.rows)) == {"first/1", "second/1"}


async def test_room_that_ended_since_is_left_out_at_once() -> None:
    platform, fresh = LivePlatform(), Fresh()
    platform.start("first/1")
    await fresh.recall(request("viewer", 0), platform.world, 10)
    platform.report(EventKind.ROOM_ENDED, 0.1, room_id="first/1")
    assert (await fresh.recall(request("viewer", 0.2), platform.world, 10)).rows.tolist() == []


async def test_same_request_draws_the_same_rooms() -> None:
    platform = LivePlatform()
    for number in range(50):
        platform.start(f"s{number}/1")
    assert await _recall(platform, 1, "q1") == await _recall(platform, 1, "q1")
    assert await _recall(platform, 1, "q1") != await _recall(platform, 1, "q2")


async def test_newcomers_share_the_exposure() -> None:
    platform = LivePlatform()
    for number in range(10):
        platform.start(f"s{number}/1")
    first = Counter([(await _recall(platform, 1, f"q{number}", limit=1))[0] for number in range(500)])
    # 50 each on average, with a standard deviation of 6.7: four of them either way.
    assert len(first) == 10
    assert all(23 <= count <= 77 for count in first.values()), first


async def test_who_had_fewer_entries_gets_more_exposure() -> None:
    platform = LivePlatform()
    platform.start("unmet/1")
    platform.start("met/1")
    platform.enter("met/1", 0, times=99)
    first = Counter([(await _recall(platform, 1, f"q{number}", limit=1))[0] for number in range(300)])
    # Weights 1 and 1/√100: the unmet one wins 1 / 1.1 = 91 %, 273 of 300 with a standard deviation of 5.
    assert 253 <= first["unmet/1"] <= 293
