"""Rooms drawn among those on air."""

import numpy as np
import pytest

from training.data.negatives import LiveNegatives
from training.data.samples import RoomVersions

MINUTE_MS = 60_000


def versions(*spans: tuple[int, int]) -> RoomVersions:
    """One version a room, which holds from one minute to the other; a room's number is its key and its one column."""
    number = np.arange(1, len(spans) + 1, dtype=np.int64)
    start, stop = (np.array(column, np.int64) * MINUTE_MS for column in zip(*spans, strict=True))
    return RoomVersions({"candidate_ids": number[:, None]}, number, 100 + number, start, stop)


def drawn(rooms: RoomVersions, minutes: list[int], *, count: int = 10, step: int = 1) -> dict[str, np.ndarray]:
    return LiveNegatives(rooms, count, seed=3).draw(np.array(minutes, np.int64) * MINUTE_MS, step)


def test_every_room_on_air_at_one_of_the_times_is_drawn_if_there_are_few():
    batch = drawn(versions((0, 30), (10, 20), (20, 40), (50, 60)), [35, 12])
    assert sorted(batch["negative_streamer"].tolist()) == [101, 102, 103]
    assert batch["negative_rate"] == 1.0


def test_a_room_that_came_and_went_between_two_slates_is_not_drawn():
    assert drawn(versions((0, 60), (20, 30)), [10, 40])["negative_streamer"].tolist() == [101]


def test_a_room_is_on_air_from_its_start_and_no_longer_at_its_end():
    rooms = versions((10, 20))
    assert drawn(rooms, [10])["negative_streamer"].tolist() == [101]
    assert not len(drawn(rooms, [20])["negative_streamer"])
    assert not len(drawn(rooms, [9])["negative_streamer"])


def test_what_is_drawn_comes_with_its_tensors_and_its_times():
    batch = drawn(versions((50, 60), (0, 30)), [5])
    assert batch["negative_candidate_ids"].tolist() == [[2]]
    assert batch["negative_start_ms"].tolist() == [0]
    assert batch["negative_stop_ms"].tolist() == [30 * MINUTE_MS]


def test_of_many_rooms_each_has_the_chance_that_the_batch_states():
    rooms = versions(*[(0, 10)] * 40)
    batches = [drawn(rooms, [5], count=10, step=step) for step in range(400)]
    assert all(len(batch["negative_streamer"]) == 10 and batch["negative_rate"] == 0.25 for batch in batches)
    assert all(len(set(batch["negative_streamer"].tolist())) == 10 for batch in batches)
    shares = np.bincount(np.concatenate([batch["negative_streamer"] for batch in batches]) - 101) / 400
    # Four standard deviations of a share of 400 draws: 4 · √(¼ · ¾ / 400) = .087.
    assert shares == pytest.approx(np.full(40, 0.25), abs=0.087)


def test_a_batch_is_drawn_alike_again_and_another_one_otherwise():
    rooms = versions(*[(0, 10)] * 40)
    first, again, other = (drawn(rooms, [5], step=step)["negative_streamer"].tolist() for step in (1, 1, 2))
    assert first == again
    assert first != other
