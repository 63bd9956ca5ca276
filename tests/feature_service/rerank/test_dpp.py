"""The re-ranker `dpp`."""

from itertools import permutations

import numpy as np
import pytest

from feature_service.rerank.dpp import JITTER, DeterminantalPointProcess
from feature_service.rerank.similarity import similarity
from feature_service.stages import Ranked, Request
from tests.feature_service.live_platform import LivePlatform, request

NORTH, EAST, BETWEEN = (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)


def _platform() -> LivePlatform:
    platform = LivePlatform()
    platform.start("anna/1", category="song", content=NORTH)
    platform.start("ben/1", category="song", content=BETWEEN)
    platform.start("carl/1", category="game", content=EAST)
    platform.start("dora/1", category="song", content=NORTH)
    platform.start("eve/1", category="talk", content=BETWEEN)
    return platform


SCORES = {"anna/1": 1.0, "ben/1": 0.9, "dora/1": 0.85, "eve/1": 0.6, "carl/1": 0.0}


def _chosen(platform: LivePlatform, ranked: Ranked, asked: Request) -> list[int]:
    order = DeterminantalPointProcess().order(asked, platform.world, ranked, np.arange(len(ranked.scores)))
    return order.chosen.tolist()


def test_each_room_is_the_one_that_raises_the_determinant_most() -> None:
    platform = _platform()
    ranked = platform.ranked(SCORES)
    theta = 0.6
    likeness = similarity(platform.state, ranked.candidates.rows).matrix().astype(float)
    np.fill_diagonal(likeness, 1 + JITTER)
    quality = np.exp(theta / (2 * (1 - theta)) * np.array(list(SCORES.values())))
    kernel = quality[:, None] * likeness * quality
    expected: list[int] = []
    while len(expected) < 4:  # By the definition, without the algebra that makes it fast.
        tried = {room: np.linalg.det(kernel[np.ix_([*expected, room], [*expected, room])]) for room in range(5)}
        expected.append(max((room for room in range(5) if room not in expected), key=lambda room: tried[room]))
    assert _chosen(platform, ranked, request(k=4, diversity=theta, diversity_window=9)) == expected
    assert expected != [0, 1, 2, 3]


def test_relevance_alone_keeps_the_order() -> None:
    platform = _platform()
    assert _chosen(platform, platform.ranked(SCORES), request(k=5, diversity=1.0)) == [0, 1, 2, 3, 4]


def test_a_second_room_of_a_streamer_waits_for_all_others() -> None:
    platform = LivePlatform()
    for room in ("anna/1", "anna/2", "ben/1", "carl/1"):
        platform.start(room)
    ranked = platform.ranked({"anna/1": 1.0, "anna/2": 0.99, "ben/1": 0.5, "carl/1": 0.4})
    assert _chosen(platform, ranked, request(k=4, diversity=0.5, diversity_window=9)) == [0, 2, 3, 1]


def test_what_has_scrolled_out_of_the_window_explains_nothing() -> None:
    platform = _platform()
    ranked = platform.ranked({"anna/1": 1.0, "carl/1": 0.95, "dora/1": 0.9, "ben/1": 0.0})
    assert _chosen(platform, ranked, request(k=3, diversity=0.7, diversity_window=1)) == [0, 1, 2]
    assert _chosen(platform, ranked, request(k=3, diversity=0.3, diversity_window=2)) == [0, 1, 3]


@pytest.mark.parametrize("rooms", list(permutations(["anna/1", "dora/1"])))
def test_equal_rooms_keep_their_order(rooms: tuple[str, ...]) -> None:
    platform = _platform()
    assert _chosen(platform, platform.ranked(dict.fromkeys(rooms, 1.0)), request(k=2)) == [0, 1]


def test_no_room_is_no_slate() -> None:
    platform = LivePlatform()
    assert _chosen(platform, platform.ranked({"x/1": np.nan}), request(k=2)) == []
