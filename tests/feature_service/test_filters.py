"""Filters."""

from dataclasses import replace

import numpy as np

from feature_service.features.events import EventKind
from feature_service.features.schema import key_of
from feature_service.filters import FILTERS
from feature_service.settings import load
from feature_service.stages import Request
from tests.feature_service.live_platform import LivePlatform, request

DAY_S = 86_400


def _kept(name: str, platform: LivePlatform, asked: Request, *rooms: str) -> list[str]:
    rows = platform.rows(*rooms)
    return platform.rooms(rows[FILTERS[name]().keep(asked, platform.world, rows)])


def _platform(*rooms: str) -> LivePlatform:
    platform = LivePlatform()
    for room in rooms:
        platform.start(room)
    return platform


def test_every_filter_of_the_settings_exists() -> None:
    assert all(set(scene.filters) <= set(FILTERS) for scene in load().scenes.values())


def test_live_drops_what_ended_what_was_taken_down_and_what_lost_its_lease() -> None:
    platform = _platform("anna/1", "ended/1", "down/1")
    platform.start("zombie/1", 0, lease_ms=60_000)
    platform.report(EventKind.ROOM_ENDED, 10, room_id="ended/1")
    platform.report(EventKind.ROOM_BLOCKED, 10, room_id="down/1")
    rooms = ("anna/1", "ended/1", "down/1", "zombie/1")
    assert _kept("live", platform, request(at_s=59), *rooms) == ["anna/1", "zombie/1"]
    assert _kept("live", platform, request(at_s=60), *rooms) == ["anna/1"]


def test_blocked_drops_streamers_whom_this_user_blocks() -> None:
    platform = _platform("anna/1", "ben/1")
    platform.report(EventKind.BLOCK, 1, user_id="viewer", streamer_id="ben")
    assert _kept("blocked", platform, request("viewer", 2), "anna/1", "ben/1") == ["anna/1"]
    assert _kept("blocked", platform, request("other", 2), "anna/1", "ben/1") == ["anna/1", "ben/1"]
    platform.report(EventKind.UNBLOCK, 3, user_id="viewer", streamer_id="ben")
    assert _kept("blocked", platform, request("viewer", 4), "anna/1", "ben/1") == ["anna/1", "ben/1"]


def test_not_interested_keeps_all_rooms_of_the_streamer_away_for_thirty_days() -> None:
    platform = _platform("ben/1", "ben/2")
    platform.report(EventKind.NOT_INTERESTED, 0, user_id="viewer", room_id="ben/1")
    assert _kept("blocked", platform, request(at_s=30 * DAY_S - 1), "ben/2") == []
    assert _kept("blocked", platform, request(at_s=30 * DAY_S), "ben/2") == ["ben/2"]


def test_seen_drops_rooms_seen_within_the_scenes_minutes() -> None:
    platform = _platform("anna/1", "ben/1")
    platform.report(EventKind.IMPRESSION, 0, user_id="viewer", room_id="ben/1")
    asked = request(at_s=599, seen_minutes=10.0)
    assert _kept("seen", platform, asked, "anna/1", "ben/1") == ["anna/1"]
    assert _kept("seen", platform, request(at_s=600, seen_minutes=10.0), "anna/1", "ben/1") == ["anna/1", "ben/1"]
    assert _kept("seen", platform, request("other", 1), "anna/1", "ben/1") == ["anna/1", "ben/1"]


def test_followed_streamers_room_is_shown_again() -> None:
    platform = _platform("ben/1")
    platform.report(EventKind.IMPRESSION, 0, user_id="viewer", room_id="ben/1")
    platform.follow("viewer", "ben")
    assert _kept("seen", platform, request(at_s=1), "ben/1") == ["ben/1"]


def test_room_of_an_earlier_page_never_comes_again() -> None:
    platform = _platform("anna/1", "ben/1")
    platform.follow("viewer", "ben")
    asked = replace(request(), excluded=np.array([key_of("room", "ben/1")], np.int64))
    assert _kept("seen", platform, asked, "anna/1", "ben/1") == ["anna/1"]


def test_frequency_keeps_away_whom_the_user_saw_too_often_lately() -> None:
    platform = _platform("anna/1", "anna/2", "ben/1")
    for at_s in (10, 20, 7_300):
        platform.report(EventKind.IMPRESSION, at_s, user_id="viewer", room_id="anna/1")
    capped = {"frequency_cap": 3, "frequency_hours": 2.1}
    assert _kept("frequency", platform, request(at_s=7_400, **capped), "anna/2", "ben/1") == ["ben/1"]
    assert _kept("frequency", platform, request("other", 7_400, **capped), "anna/2", "ben/1") == ["anna/2", "ben/1"]
    # The first two impressions are out of sight 2.1 hours later.
    assert _kept("frequency", platform, request(at_s=7_600, **capped), "anna/2") == ["anna/2"]


def test_frequency_lets_followed_streamers_come_again() -> None:
    platform = _platform("anna/1")
    platform.report(EventKind.FOLLOW, 1, user_id="viewer", streamer_id="anna")
    platform.report(EventKind.IMPRESSION, 2, user_id="viewer", room_id="anna/1")
    assert _kept("frequency", platform, request(at_s=3, frequency_cap=1), "anna/1") == ["anna/1"]
