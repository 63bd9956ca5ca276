"""Histories without impressions: rooms drawn among those live then."""

import numpy as np
import pytest

from feature_service.features.events import EventKind
from training.data.errors import DataError
from training.data.importers.merge import merge
from training.data.importers.rooms import OpenRooms
from training.data.importers.unseen import Entries, draw_others, entry_blocks, order_entries

ROOMS = OpenRooms(
    room_id=["a", "b", "c", "d"],
    streamer_id=["sa", "sb", "sc", "sd"],
    start_ms=np.array([0, 0, 50, 200]),
    end_ms=np.array([1_000, 100, 1_000, 1_000]),
)


def test_every_subset_is_equally_likely() -> None:
    drawn = np.sort(draw_others(2, 4, np.random.default_rng(0), 12_000), axis=1)
    pairs, counts = np.unique(drawn, axis=0, return_counts=True)
    # Six pairs of four, 2,000 each; four standard deviations are 4·√(12,000·1/6·5/6) ≈ 163.
    assert pairs.tolist() == [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]
    assert np.abs(counts - 2_000).max() < 163


def test_sampled_rooms_are_live_then_and_not_the_entered_one() -> None:
    entries = Entries(["user-1"] * 3, np.array([0, 0, 2]), np.array([10, 60, 300]), np.array([-1, -1, -1]))
    shown: dict[str, set[str]] = {}
    for event in merge(entry_blocks(ROOMS, entries, sampled=5, seed=1)):
        if event.kind is EventKind.IMPRESSION and event.sampled:
            shown.setdefault(event.request_id, set()).add(event.room_id)
    # At 10 only b is live beside a; at 60 b and c; at 300 a and d beside c, for b has ended.
    assert shown == {"request-0": {"b"}, "request-1": {"b", "c"}, "request-2": {"a", "d"}}


def test_the_entered_room_is_seen_then_entered_then_left() -> None:
    entries = Entries(["user-1"], np.array([1]), np.array([10]), np.array([25]))
    events = [event for event in merge(entry_blocks(ROOMS, entries, sampled=0, seed=1)) if not event.sampled]
    assert [(event.kind, event.time_ms, event.watch_ms) for event in events] == [
        (EventKind.IMPRESSION, 10, 0),
        (EventKind.ENTER, 10, 0),
        (EventKind.LEAVE, 35, 25),
    ]
    assert {(event.user_id, event.room_id, event.streamer_id, event.request_id) for event in events} == {
        ("user-1", "b", "sb", "request-0")
    }


def test_the_place_of_the_entered_room_among_the_drawn_ones_tells_nothing() -> None:
    count = 3_000
    entries = Entries(["user-1"] * count, np.zeros(count, np.int64), np.full(count, 60), np.full(count, -1))
    order = [event.sampled for event in merge(entry_blocks(ROOMS, entries, sampled=2, seed=1)[:1])]
    first = np.mean([not sampled for sampled in order[::3]])
    # A third, within four standard deviations of √(1/3·2/3/3,000).
    assert abs(first - 1 / 3) < 0.035


def test_entries_of_one_viewer_at_one_time_are_a_millisecond_apart() -> None:
    order, time_ms = order_entries(np.array([1, 2, 1, 1]), np.array([5, 5, 5, 4]), np.array([9, 0, 8, 7]))
    assert order.tolist() == [3, 2, 1, 0]
    assert time_ms.tolist() == [4, 5, 5, 6]


def test_fewer_than_no_rooms_cannot_be_drawn() -> None:
    entries = Entries(["u"], np.array([0]), np.array([5]), np.array([-1]))
    with pytest.raises(DataError, match="sampled: expected 0 or more, received -1"):
        entry_blocks(ROOMS, entries, sampled=-1, seed=1)
