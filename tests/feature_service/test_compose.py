"""Composing the slate."""

from dataclasses import replace

import numpy as np

from feature_service.compose import Card, compose
from feature_service.features.events import EventKind
from feature_service.features.schema import key_of
from feature_service.recall import CHANNELS
from feature_service.settings import load
from tests.feature_service.live_platform import LivePlatform, recalled, request


def _reason(platform: LivePlatform, room: str = "anna/1", at_s: float = 900, *, channel: str = "two_tower") -> str:
    ranked = platform.ranked({room: 1.0}, {channel: (room,)})
    return compose(request("viewer", at_s), platform.world, ranked, np.array([0]), [], np.ones(1))[0].reason


def _platform() -> LivePlatform:
    platform = LivePlatform()
    platform.start("anna/1", category="song")
    return platform


def test_every_channel_of_the_settings_exists() -> None:
    assert all(set(scene.channels) <= set(CHANNELS) for scene in load().scenes.values())


def test_card_tells_the_room_in_the_slates_order() -> None:
    platform = LivePlatform()
    platform.start("anna/1", category="song", title="Evening songs")
    platform.start("ben/1", category="game", title="Chess")
    ranked = platform.ranked({"anna/1": 2.5, "ben/1": 1.5}, {"two_tower": ("anna/1", "ben/1"), "hot": ("ben/1",)})
    cards = compose(request(at_s=900), platform.world, ranked, np.array([1, 0]), [], np.array([1.0, 0.25]))
    assert cards == (
        Card("ben/1", "ben", "Chess", "game", 0, 1.5, "popular now", ("two_tower", "hot")),
        Card("anna/1", "anna", "Evening songs", "song", 1, 2.5, "for you", ("two_tower",), 0.25),
    )


def test_followed_streamer_is_named_as_followed_whatever_else_holds() -> None:
    platform = _platform()
    platform.enter("anna/1", 1, user_id="viewer")
    platform.follow("viewer", "anna", 2)
    assert _reason(platform, channel="hot") == "followed"


def test_streamer_whom_the_user_knows_was_watched_before() -> None:
    platform = _platform()
    platform.enter("anna/1", 1, user_id="viewer")
    assert _reason(platform) == "watched before"


def test_names_the_streamer_whom_the_user_watched_longest_in_that_category() -> None:
    platform = _platform()
    for streamer, category, watch_ms in (("ben", "song", 60_000), ("carl", "song", 90_000), ("dora", "game", 900_000)):
        platform.start(f"{streamer}/1", category=category)
        room = {"room_id": f"{streamer}/1", "category": category, "user_id": "viewer"}
        platform.report(EventKind.LEAVE, 5, watch_ms=watch_ms, **room)
    assert _reason(platform) == "because you watched carl"


def test_watched_streamer_who_has_left_the_memory_is_not_named() -> None:
    """Who is off air for long is forgotten until her records are wanted, while viewers' histories remember her."""
    platform = _platform()
    platform.start("carl/1", category="song")
    platform.report(EventKind.LEAVE, 5, watch_ms=90_000, room_id="carl/1", category="song", user_id="viewer")
    del platform.state.facts.streamers[key_of("streamer", "carl")]
    assert _reason(platform) == "for you"


def test_watched_streamer_that_a_channel_names_comes_before_the_favourite_of_the_category() -> None:
    platform = _platform()
    for streamer in ("ben", "carl"):
        platform.start(f"{streamer}/1", category="song")
    platform.report(EventKind.LEAVE, 5, watch_ms=90_000, room_id="carl/1", category="song", user_id="viewer")
    anna, other = platform.rows("anna/1", "carl/1").tolist()
    ben = key_of("streamer", "ben")
    ranked = platform.ranked({"anna/1": 1.0}, {"item_cf": ("anna/1",)})

    def reason(*because: int) -> str:
        found = replace(recalled("item_cf", other, anna), because=np.array([ben, *because]))
        silent = recalled("hot", anna)
        return compose(request("viewer", 900), platform.world, ranked, np.array([0]), [silent, found], np.ones(1))[
            0
        ].reason

    assert reason(ben) == "because you watched ben"
    assert reason(0) == "because you watched carl"
    assert reason(404) == "because you watched carl"  # The key of nobody.


def test_room_with_a_burst_is_heating_up() -> None:
    platform = _platform()
    platform.enter("anna/1", 900, times=20)
    assert _reason(platform, channel="hot") == "heating up now"
    assert _reason(platform, channel="two_tower") == "for you"


def test_big_room_as_busy_as_before_is_popular() -> None:
    platform = _platform()
    for second in range(900):
        platform.enter("anna/1", second)
    assert _reason(platform, channel="hot") == "popular now"


def test_handful_of_visits_in_a_quiet_room_is_no_burst() -> None:
    platform = _platform()
    platform.enter("anna/1", 900, times=4)  # A lift of 50 / 14, but of 4 visits only.
    assert _reason(platform, channel="hot") == "popular now"


def test_burst_of_a_quarter_of_an_hour_ago_is_over() -> None:
    platform = _platform()
    platform.enter("anna/1", 0, times=20)
    assert _reason(platform, channel="hot") == "popular now"


def test_fresh_room_is_new_here() -> None:
    assert _reason(_platform(), channel="fresh") == "new here"


def test_stranger_gets_rooms_for_them() -> None:
    assert _reason(_platform()) == "for you"
