"""Decayed counters read what exact decay would."""

import numpy as np
import pytest

from feature_service.features.events import Event, EventKind
from feature_service.features.reducers import Entity
from feature_service.features.view import Columns
from tests.feature_service.event_streams import START_MS, event, state_of

MINUTE_S = 60


def _read(signal: str, at_s: float, *events: Event) -> list[float]:
    """The room's decayed sums with half-lives of 1, 10 and 60 minutes."""
    now_ms = START_MS + round(at_s * 1000)
    return Columns(state_of(*events).rooms, np.array([1]), Entity.ROOM, now_ms).decayed(signal)[0].tolist()


def test_one_event_halves_with_each_half_life() -> None:
    enter = event(EventKind.ENTER)
    assert _read("enter", 0, enter) == [1, 1, 1]
    assert _read("enter", MINUTE_S, enter)[0] == 0.5
    assert _read("enter", 10 * MINUTE_S, enter)[:2] == [2**-10, 0.5]
    assert _read("enter", 60 * MINUTE_S, enter)[1:] == [2**-6, 0.5]


def test_amounts_add_up_at_their_own_ages() -> None:
    leaves = event(EventKind.LEAVE, 0, watch_ms=40_000), event(EventKind.LEAVE, MINUTE_S, watch_ms=7_999)
    # 40 s a half-life ago, and 7 whole seconds now.
    assert _read("watch_s", MINUTE_S, *leaves)[0] == 40 / 2 + 7


def test_gift_values_count_in_hundredths() -> None:
    assert _read("gift_value", 0, event(EventKind.GIFT, gift_value=0.29)) == [29, 29, 29]


@pytest.mark.parametrize("now_s", [3 * 3_600, 3 * 3_600 + 239, 4 * 3_600])
def test_a_stream_is_read_within_a_percent_of_exact_decay(now_s: int) -> None:
    times_s = np.random.default_rng(5).uniform(0, 3 * 3_600, 3_000)
    read = _read("like", now_s, *(event(EventKind.LIKE, float(at_s), event_id=str(at_s)) for at_s in times_s))
    for half_life_s, value in zip((60, 600, 3_600), read, strict=True):
        exact = np.sum(2.0 ** ((times_s - now_s) / half_life_s))
        assert value == pytest.approx(exact, rel=0.01, abs=1e-3)


def test_one_event_is_read_within_a_step_of_exact_decay() -> None:
    # Time is cut to 64 steps a half-life, on writing and on reading: 2^(1/64) − 1 = 1.1 % at most.
    for written_s, read_s in ((0.9, 1.0), (59.1, 73.3), (100.01, 161)):
        value = _read("like", read_s, event(EventKind.LIKE, written_s))[0]
        assert value == pytest.approx(2 ** ((written_s - read_s) / 60), rel=2 ** (1 / 64) - 1)


def test_what_is_older_than_the_ring_counts_nothing() -> None:
    # Four epochs of four minutes; an event of the fifth takes the slot of the first, for all signals of the room.
    events = event(EventKind.LIKE, 0), event(EventKind.COMMENT, 16 * MINUTE_S)
    assert _read("like", 16 * MINUTE_S, *events)[0] == 0
    assert _read("comment", 16 * MINUTE_S, *events)[0] == 1


def test_an_event_that_comes_after_its_epoch_has_left_the_ring_is_not_counted() -> None:
    late = event(EventKind.LIKE, 16 * MINUTE_S), event(EventKind.LIKE, 0)
    assert _read("like", 16 * MINUTE_S, *late)[0] == 1


def test_after_forty_half_lives_nothing_is_left() -> None:
    assert _read("enter", 41 * MINUTE_S, event(EventKind.ENTER))[0] == 0
