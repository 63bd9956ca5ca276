"""The rooms on air as a list: order, parts, newcomers and their exposure, moments."""

import pytest

from feature_service.admin.live_rooms import LiveList, LiveOrder, Part, list_live_rooms
from feature_service.admin.moments import MomentKind
from feature_service.admin.series import LENGTH, HeatSeries
from feature_service.features.events import EventKind
from feature_service.features.schema import key_of
from tests.feature_service.live_platform import NOON_MS, LivePlatform


@pytest.fixture
def platform() -> LivePlatform:
    """`anna` is known by many entries, `bella` and `cleo` are new; Cleo's room is the fullest, Bella's the newest."""
    platform = LivePlatform()
    platform.start("anna/1", -3000, category="music", viewers=5)
    platform.start("cleo/1", -2000, viewers=70)
    platform.start("bella/1", -60, viewers=9)
    platform.enter("anna/1", -20, times=120)
    for room in ("anna/0", "anna/-1", "anna/-2"):
        platform.start(room, -9000)
        platform.report(EventKind.ROOM_ENDED, -8000, room_id=room)
    return platform


def listed(platform: LivePlatform, order: LiveOrder = LiveOrder.HOTTEST_FIRST, **part: int) -> LiveList:
    """The list at noon."""
    wanted = Part(order, part.get("offset", 0), part.get("limit", 10), bool(part.get("newcomers_only")))
    return list_live_rooms(platform.state, platform.live, HeatSeries(), wanted, NOON_MS)


def ids(found: LiveList) -> list[str]:
    return [room.facts.room_id for room in found.rooms]


def test_the_hottest_room_is_first(platform: LivePlatform) -> None:
    assert ids(listed(platform))[0] == "anna/1"


def test_the_fullest_and_the_newest_room_are_first_when_asked_for(platform: LivePlatform) -> None:
    assert ids(listed(platform, LiveOrder.MOST_VIEWERS_FIRST)) == ["cleo/1", "bella/1", "anna/1"]
    assert ids(listed(platform, LiveOrder.NEWEST_FIRST)) == ["bella/1", "cleo/1", "anna/1"]


def test_parts_make_the_whole_list(platform: LivePlatform) -> None:
    parts = [listed(platform, LiveOrder.NEWEST_FIRST, offset=i, limit=1) for i in range(4)]
    assert [ids(part) for part in parts] == [["bella/1"], ["cleo/1"], ["anna/1"], []]
    assert {(part.listed, part.on_air) for part in parts} == {(3, 3)}


def test_newcomers_are_counted_and_listed_alone_when_asked_for(platform: LivePlatform) -> None:
    found = listed(platform, LiveOrder.NEWEST_FIRST, newcomers_only=1)
    assert ids(found) == ["bella/1", "cleo/1"]
    assert (found.newcomers, found.listed, found.on_air) == (2, 2, 3)


def test_newcomers_exposure_is_their_share_of_the_impressions(platform: LivePlatform) -> None:
    for room, times in (("anna/1", 3), ("bella/1", 1)):
        for _ in range(times):
            platform.report(EventKind.IMPRESSION, -1, room_id=room, user_id="someone")
    # Of four impressions of the same age one is a newcomer's.
    assert listed(platform).newcomer_exposure == pytest.approx(0.25)


def test_without_an_impression_there_is_no_exposure(platform: LivePlatform) -> None:
    assert listed(platform).newcomer_exposure == 0.0


def test_rooms_that_heat_up_start_or_change_are_moments(platform: LivePlatform) -> None:
    platform.report(EventKind.ROOM_UPDATED, -30, room_id="cleo/1", activity="pk", lease_ms=3_600_000)
    found = [(each.kind, each.facts.room_id, each.age_ms) for each in listed(platform).moments]
    # All of Anna's visits came within the last minute: her room's rate is many times that of the ten before.
    assert found == [
        (MomentKind.HEATING_UP, "anna/1", None),
        (MomentKind.ACTIVITY_CHANGED, "cleo/1", 30_000),
        (MomentKind.STARTED, "bella/1", 60_000),
    ]


def test_nobody_on_air_makes_an_empty_list() -> None:
    found = listed(LivePlatform())
    assert (found.rooms, found.on_air, found.moments) == ([], 0, [])


def test_a_series_follows_the_rooms_heat() -> None:
    platform, series = LivePlatform(), HeatSeries()
    platform.start("anna/1", 0)
    row, key = int(platform.rows("anna/1")[0]), key_of("room", "anna/1")
    for minute in range(3):
        series.sample(platform.state, platform.live, NOON_MS + minute * 60_000)
        platform.enter("anna/1", minute * 60 + 1, times=8)
    # Nothing at first; then the eight visits of the minute before, halved by it; then eight more above a quarter.
    assert series.of(row, key) == pytest.approx([0, 4, 6], rel=0.03)


def test_a_series_holds_the_last_samples_only() -> None:
    platform, series = LivePlatform(), HeatSeries()
    platform.start("anna/1", 0)
    for i in range(LENGTH + 5):
        series.sample(platform.state, platform.live, NOON_MS + i)
    assert len(series.of(int(platform.rows("anna/1")[0]), key_of("room", "anna/1"))) == LENGTH


def test_a_room_does_not_inherit_the_series_of_the_one_that_had_its_row() -> None:
    platform, series = LivePlatform(), HeatSeries()
    platform.start("anna/1", 0)
    row = int(platform.rows("anna/1")[0])
    series.sample(platform.state, platform.live, NOON_MS)
    platform.live.forget(row)
    platform.start("bella/1", 1)
    assert int(platform.rows("bella/1")[0]) == row
    assert len(series.of(row, key_of("room", "bella/1"))) == 0
    series.sample(platform.state, platform.live, NOON_MS + 2000)
    assert len(series.of(row, key_of("room", "bella/1"))) == 1
