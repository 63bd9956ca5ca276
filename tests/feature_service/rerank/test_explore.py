"""The re-ranker `explore`."""

from collections import Counter
from typing import Any

import numpy as np
import pytest

from feature_service.rerank.explore import Explore
from feature_service.stages import Order, Ranked
from tests.feature_service.live_platform import LivePlatform, request

ROOMS = ("anna/1", "ben/1", "carl/1", "dora/1", "new/1", "new/2")


def _ranked(platform: LivePlatform) -> Ranked:
    """Six rooms by descending score; the channel `fresh` found anna and the last two."""
    scores = {room: float(9 - place) for place, room in enumerate(ROOMS)}
    return platform.ranked(scores, {"any": ROOMS, "fresh": ("anna/1", "new/1", "new/2")})


@pytest.fixture(scope="module")
def platform() -> LivePlatform:
    platform = LivePlatform()
    for room in ROOMS:
        platform.start(room)
    return platform


def _order(platform: LivePlatform, name: str = "q", **scene: Any) -> Order:
    given: dict[str, Any] = {"explore_rate": 0.5, "explore_places": (1, 2)} | scene
    ranked = _ranked(platform)
    return Explore().order(request(k=3, request_id=name, **given), platform.world, ranked, np.arange(len(ROOMS)))


def test_the_told_probability_is_how_often_a_room_stands_there(platform: LivePlatform) -> None:
    shown: Counter[tuple[int, ...]] = Counter()
    told: dict[tuple[int, ...], float] = {}
    for number in range(4_000):
        order = _order(platform, f"q{number}")
        assert order.propensities is not None
        slate = tuple(order.chosen.tolist())
        shown[slate] += 1
        told[slate] = float(order.propensities.prod())
    # Place 1: ben ½, new/1 or new/2 ¼ each; place 2: carl ½, else what is left of the new ones.
    assert told[0, 1, 2] == 0.25
    assert told[0, 4, 5] == told[0, 5, 4] == 0.125
    assert sum(told.values()) == pytest.approx(1.0)
    for slate, propensity in told.items():  # The standard deviation of such a share is below .008.
        assert shown[slate] / 4_000 == pytest.approx(propensity, abs=0.03)


def test_a_request_is_always_answered_alike(platform: LivePlatform) -> None:
    assert _order(platform).chosen.tolist() == _order(platform).chosen.tolist()


def test_other_places_stay_and_nothing_left_to_chance_is_certain(platform: LivePlatform) -> None:
    order = _order(platform, explore_rate=0.0)
    assert order.chosen.tolist() == [0, 1, 2]
    assert order.propensities is not None
    assert order.propensities.tolist() == [1, 1, 1]


def test_without_a_new_room_outside_the_slate_nothing_changes(platform: LivePlatform) -> None:
    ranked = platform.ranked({"anna/1": 2.0, "ben/1": 1.0}, {"fresh": ("anna/1",)})
    asked = request(k=1, explore_rate=0.9, explore_places=(0,))
    order = Explore().order(asked, platform.world, ranked, np.arange(2))
    assert order.propensities is not None
    assert (order.chosen.tolist(), order.propensities.tolist()) == ([0], [1.0])


def test_places_beyond_the_slate_and_scenes_without_the_channel_are_left_alone(platform: LivePlatform) -> None:
    assert _order(platform, explore_rate=0.99, explore_places=(3,)).chosen.tolist() == [0, 1, 2]
    ranked = platform.ranked({"anna/1": 2.0, "new/1": 1.0})
    asked = request(k=1, explore_rate=0.99, explore_places=(0,))
    assert Explore().order(asked, platform.world, ranked, np.arange(2)).chosen.tolist() == [0]


def test_it_says_who_came_and_who_left(platform: LivePlatform) -> None:
    names = (f"q{number}" for number in range(100))
    order = next(each for name in names if (each := _order(platform, name, explore_places=(1,))).chosen[1] > 2)
    came = int(order.chosen[1])
    assert order.moves == {1: "left place 2 to a new room", came: "new at place 2, by chance"}
