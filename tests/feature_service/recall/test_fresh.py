"""The channel `fresh`."""

from collections import Counter

from feature_service.features.events import EventKind
from feature_service.recall.fresh import POOL, Fresh
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


async def test_who_was_shown_less_gets_more_exposure() -> None:
    platform = LivePlatform()
    platform.start("unmet/1")
    platform.start("met/1")
    _show(platform, "met/1", times=99, entered=10)
    first = Counter([(await _recall(platform, 1, f"q{number}", limit=1))[0] for number in range(300)])
    # Weights 1/10 + 1/2 and 11/109 + 1/2 · 1/√100 = 0.151: the unmet one wins 0.6 / 0.751 = 80 %, 240 of 300 with a
    # standard deviation of 7.
    assert 212 <= first["unmet/1"] <= 268


async def test_of_two_as_often_shown_who_was_entered_more_gets_more_exposure() -> None:
    platform = LivePlatform()
    platform.start("liked/1")
    platform.start("passed/1")
    _show(platform, "liked/1", times=99, entered=40)
    _show(platform, "passed/1", times=99, entered=0)
    first = Counter([(await _recall(platform, 1, f"q{number}", limit=1))[0] for number in range(300)])
    # Weights 41/109 + 0.05 = 0.426 and 1/109 + 0.05 = 0.059: 88 %, 263 with a standard deviation of 6.
    assert 239 <= first["liked/1"] <= 287


async def test_content_like_what_the_user_watched_comes_first() -> None:
    platform = LivePlatform()
    platform.start("known/old", content=(1.0, 0.0))
    platform.enter("known/old", 1, user_id="viewer", times=1)
    platform.report(EventKind.ROOM_ENDED, 2, room_id="known/old")
    for number in range(20):
        platform.start(f"like{number}/1", 10, content=(5.0, 0.0))
        platform.start(f"unlike{number}/1", 10, content=(0.0, 5.0))
    alike = [room for q in range(30) for room in await _recall(platform, 11, f"q{q}") if room.startswith("like")]
    # Weights e^4 = 54.6 against 1: nearly all of the 300 places.
    assert len(alike) > 270
    stranger = Fresh()
    found = await stranger.recall(request("stranger", 11), platform.world, 40)
    assert len(found.rows) == 40


async def test_large_pool_is_cut_by_lot_and_still_gives_everyone_a_chance() -> None:
    platform = LivePlatform()
    for number in range(POOL + 200):
        platform.start(f"s{number}/1")
    fresh, met = Fresh(), set[int]()
    for turn in range(3):
        found = await fresh.recall(request("viewer", 1 + turn), platform.world, 10_000)
        assert len(set(found.rows.tolist())) == POOL
        met.update(found.rows.tolist())
    # Each is left out of a pool with a chance of 1/11, of three in a row with 1/1331.
    assert len(met) > POOL + 180


def _show(platform: LivePlatform, room: str, *, times: int, entered: int) -> None:
    for _ in range(times):
        platform.report(EventKind.IMPRESSION, 0, room_id=room, user_id="someone")
    platform.enter(room, 0, times=entered)
