"""The re-ranker `spacing`."""

import numpy as np

from feature_service.rerank import RERANKERS
from feature_service.rerank.spacing import Spacing
from feature_service.settings import load
from feature_service.stages import Order
from tests.feature_service.live_platform import LivePlatform, request


def _order(rooms: dict[str, str], *, k: int, category_gap: int = 1, streamer_gap: int = 1) -> tuple[list[str], Order]:
    """Spaces rooms (category by room) that are ranked in the given order; the slate, and what the re-ranker says."""
    platform = LivePlatform()
    for room, category in rooms.items():
        platform.start(room, category=category)
    ranked = platform.ranked({room: -place for place, room in enumerate(rooms)})
    asked = request(k=k, category_gap=category_gap, streamer_gap=streamer_gap)
    order = Spacing().order(asked, platform.world, ranked, np.arange(len(rooms)))
    return platform.rooms(ranked.candidates.rows[order.chosen]), order


def test_every_re_ranker_of_the_settings_exists() -> None:
    assert all(set(scene.rerank) <= set(RERANKERS) for scene in load().scenes.values())


def test_neighbours_of_one_category_are_parted() -> None:
    rooms = {"a/1": "song", "b/1": "song", "c/1": "game", "d/1": "song"}
    slate, order = _order(rooms, k=4, category_gap=2)
    assert slate == ["a/1", "c/1", "b/1", "d/1"]  # The last two cannot be parted: they keep their order.
    assert order.moves == {1: "down 1: same category as place 1", 2: "up 1"}


def test_wider_gap_parts_further() -> None:
    rooms = {"a/1": "song", "b/1": "game", "c/1": "song", "d/1": "talk", "e/1": "dance"}
    assert _order(rooms, k=4, category_gap=3)[0] == ["a/1", "b/1", "d/1", "c/1"]


def test_streamers_rooms_are_parted() -> None:
    rooms = {"a/1": "song", "a/2": "game", "b/1": "song", "c/1": "song"}
    slate, order = _order(rooms, k=3, streamer_gap=3)
    assert slate == ["a/1", "b/1", "c/1"]
    assert order.moves == {1: "down 2: same streamer as place 1", 2: "up 1", 3: "up 1"}


def test_nothing_is_dropped_where_the_gap_cannot_be_kept() -> None:
    rooms = {"a/1": "song", "b/1": "song", "c/1": "song"}
    slate, order = _order(rooms, k=3, category_gap=2)
    assert (slate, order.moves) == (["a/1", "b/1", "c/1"], {})


def test_gap_of_one_changes_nothing() -> None:
    rooms = {"a/1": "song", "a/2": "song", "b/1": "song"}
    assert _order(rooms, k=3)[0] == ["a/1", "a/2", "b/1"]


def test_unknown_categories_keep_no_distance() -> None:
    rooms = {"a/1": "", "b/1": "", "c/1": "song"}
    assert _order(rooms, k=3, category_gap=2)[0] == ["a/1", "b/1", "c/1"]


def test_nothing_ranked_is_nothing_chosen() -> None:
    assert _order({}, k=3)[0] == []
