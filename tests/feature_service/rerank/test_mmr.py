"""The re-ranker `mmr`."""

import numpy as np

from feature_service.rerank.mmr import MaximalMarginalRelevance
from feature_service.stages import Order, Ranked, Request
from tests.feature_service.live_platform import LivePlatform, request

NORTH, EAST = (0.0, 1.0), (1.0, 0.0)


def _order(platform: LivePlatform, ranked: Ranked, asked: Request) -> Order:
    return MaximalMarginalRelevance().order(asked, platform.world, ranked, np.arange(len(ranked.scores)))


def _platform() -> LivePlatform:
    """Two rooms of songs with one content, and a game."""
    platform = LivePlatform()
    platform.start("anna/1", category="song", content=NORTH)
    platform.start("ben/1", category="song", content=NORTH)
    platform.start("carl/1", category="game", content=EAST)
    platform.start("dora/1", category="talk", content=EAST)
    return platform


def test_unlike_room_overtakes_a_repetition() -> None:
    platform = _platform()
    ranked = platform.ranked({"anna/1": 1.0, "ben/1": 0.9, "carl/1": 0.5, "dora/1": 0.0})
    # At the second place ben gains 0.5 · 0.9 − 0.5 · 1 = −0.05, carl 0.5 · 0.5 − 0.5 · 0 = 0.25.
    order = _order(platform, ranked, request(k=2, diversity=0.5))
    assert ranked.scores[order.chosen].tolist() == [1.0, 0.5]


def test_says_what_moved_and_why() -> None:
    platform = _platform()
    ranked = platform.ranked({"anna/1": 1.0, "ben/1": 0.9, "carl/1": 0.5, "dora/1": 0.0})
    order = _order(platform, ranked, request(k=3, diversity=0.5))
    # Third place: ben −0.05, dora 0.5 · 0 − 0.5 · 0.5 (carl's content) = −0.25.
    assert order.chosen.tolist() == [0, 2, 1]
    assert order.moves == {2: "up 1", 1: "down 1: same category as place 1"}


def test_room_that_leaves_the_slate_is_named_too() -> None:
    platform = _platform()
    ranked = platform.ranked({"anna/1": 1.0, "ben/1": 0.9, "carl/1": 0.5, "dora/1": 0.0})
    order = _order(platform, ranked, request(k=2, diversity=0.5))
    assert order.moves[1] == "down 1: same category as place 1"


def test_full_relevance_changes_nothing() -> None:
    platform = _platform()
    ranked = platform.ranked({"anna/1": 3.0, "ben/1": 2.0, "carl/1": 1.0})
    order = _order(platform, ranked, request(k=3, diversity=1.0))
    assert (order.chosen.tolist(), order.moves) == ([0, 1, 2], {})


def test_two_rooms_of_one_streamer_are_the_same_whatever_they_show() -> None:
    platform = LivePlatform()
    platform.start("anna/1", category="song", content=NORTH)
    platform.start("anna/2", category="game", content=EAST)
    platform.start("ben/1", category="song", content=EAST)
    platform.start("last/1")
    ranked = platform.ranked({"anna/1": 1.0, "anna/2": 0.9, "ben/1": 0.8, "last/1": 0.0})
    # anna/2: 0.5 · 0.9 − 0.5 · 1 = −0.05; ben/1, of the same category: 0.5 · 0.8 − 0.5 · 0.5 = 0.15.
    assert _order(platform, ranked, request(k=2, diversity=0.5)).chosen.tolist() == [0, 2]


def test_what_has_scrolled_out_of_the_window_is_no_repetition() -> None:
    platform = _platform()
    platform.start("last/1")
    ranked = platform.ranked({"anna/1": 1.0, "carl/1": 0.9, "ben/1": 0.8, "dora/1": 0.7, "last/1": 0.0})
    # Third place: dora 0.5 · 0.7 − 0.5 · 0.5 (carl) = 0.1; ben 0.5 · 0.8 = 0.4, or 0.4 − 0.5 · 1 where anna counts.
    narrow = _order(platform, ranked, request(k=3, diversity=0.5, diversity_window=1))
    assert narrow.chosen.tolist() == [0, 1, 2]
    wide = _order(platform, ranked, request(k=3, diversity=0.5, diversity_window=2))
    assert wide.chosen.tolist() == [0, 1, 3]


def test_rooms_of_unknown_category_and_content_are_unlike() -> None:
    platform = LivePlatform()
    platform.start("anna/1")
    platform.start("ben/1")
    platform.start("carl/1", category="song", content=NORTH)
    ranked = platform.ranked({"anna/1": 3.0, "ben/1": 2.0, "carl/1": 1.0})
    assert _order(platform, ranked, request(k=3, diversity=0.1)).chosen.tolist() == [0, 1, 2]


def test_score_that_is_not_finite_is_not_lifted() -> None:
    platform = _platform()
    ranked = platform.ranked({"anna/1": 1.0, "ben/1": 0.0, "carl/1": float("nan")})
    assert _order(platform, ranked, request(k=3, diversity=0.5)).chosen.tolist() == [0, 1]


def test_nothing_ranked_is_nothing_chosen() -> None:
    platform = _platform()
    assert _order(platform, platform.ranked({}), request(k=3)).chosen.tolist() == []
