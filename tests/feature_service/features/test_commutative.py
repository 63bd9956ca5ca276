"""Records do not depend on the order of events."""

import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_service.features.events import Event, EventKind
from tests.feature_service.event_streams import PATIENT, contents, event, state_of, streams


@settings(PATIENT, max_examples=120)
@given(streams(), st.randoms(use_true_random=False))
def test_any_order_of_events_leaves_the_same_bytes(events: list[Event], order: random.Random) -> None:
    shuffled = events.copy()
    order.shuffle(shuffled)
    assert contents(state_of(*shuffled)) == contents(state_of(*events))


@settings(PATIENT, max_examples=60)
@given(streams(kinds=(EventKind.IMPRESSION, EventKind.ENTER, EventKind.LEAVE), last_s=2), st.randoms())
def test_visits_that_tie_in_time_leave_the_same_lists(events: list[Event], order: random.Random) -> None:
    shuffled = events.copy()
    order.shuffle(shuffled)
    assert contents(state_of(*shuffled)) == contents(state_of(*events))


def test_more_impressions_than_a_list_holds_leave_the_same_bytes_in_any_order() -> None:
    events = [event(EventKind.IMPRESSION, at_s // 3, room_id=f"r{at_s % 7}") for at_s in range(300)]
    shuffled = events.copy()
    random.Random(7).shuffle(shuffled)  # noqa: S311
    assert contents(state_of(*shuffled)) == contents(state_of(*events))


def test_vectors_that_tie_in_time_are_compared_as_they_are_stored() -> None:
    # 0.1 lies below its float32: compared unrounded, whichever came first would stay.
    low, high = (
        event(EventKind.ROOM_UPDATED, room_id="r", content=(0.1, 5.0)),
        event(EventKind.ROOM_UPDATED, room_id="r", content=(0.1, 9.0)),
    )
    for events in ((low, high), (high, low)):
        np.testing.assert_array_equal(state_of(*events).rooms.fields["content"][1], np.array([0.1, 9.0], np.float32))


def test_entries_that_differ_only_in_category_have_one_order() -> None:
    one, other = (event(EventKind.ENTER, category=category) for category in ("music", "games"))
    assert contents(state_of(one, other)) == contents(state_of(other, one))
    seen, seen_too = (event(EventKind.IMPRESSION, category=category) for category in ("music", "games"))
    assert contents(state_of(seen, seen_too)) == contents(state_of(seen_too, seen))
