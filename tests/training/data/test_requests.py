"""Slates of requests, gathered from impressions that come one by one."""

from collections.abc import Sequence

from feature_service.features.events import Event, EventKind
from tests.training.data.small_logs import seen, viewer
from training.data.requests import SPAN_MS, Counts, with_slates


def slates(events: Sequence[Event]) -> list[tuple[str, list[str]]]:
    """The event that each slate came with, and the rooms of the slate."""
    found = with_slates(events, Counts())
    return [(event.event_id, [each.room_id for _, each in slate]) for event, slate in found if slate]


def test_a_slate_comes_with_its_first_impression_and_holds_the_later_ones():
    events = [seen(0, "u", "a", "r", event_id="first"), seen(1, "v", "b", "s"), seen(30, "u", "c", "r")]
    assert slates(events)[0] == ("first", ["a", "c"])


def test_a_slate_comes_before_an_enter_that_was_received_before_its_impression():
    enter = viewer(EventKind.ENTER, 0, "u", "a", "r", event_id="enter")
    assert slates([enter, seen(1, "u", "a", "r")]) == [("enter", ["a"])]


def test_two_users_of_one_request_id_have_a_slate_each():
    events = [seen(0, "u", "a", "r", event_id="1"), seen(0, "v", "b", "r", event_id="2")]
    assert slates(events) == [("1", ["a"]), ("2", ["b"])]


def test_without_a_request_id_what_a_user_saw_at_one_time_is_a_slate():
    events = [seen(0, "u", "a", event_id="1"), seen(0, "u", "b"), seen(5, "u", "c", event_id="2")]
    assert slates(events) == [("1", ["a", "b"]), ("2", ["c"])]


def test_an_impression_beyond_the_span_is_a_slate_of_its_own():
    late_s = SPAN_MS / 1000 + 1
    events = [seen(0, "u", "a", "r", event_id="1"), seen(late_s, "u", "b", "r", event_id="2")]
    assert slates(events) == [("1", ["a"]), ("2", ["b"])]


def test_a_duplicate_is_left_out_and_counted():
    counts = Counts()
    impression = seen(0, "u", "a", "r")
    found = list(with_slates([impression, impression], counts))
    assert [len(slate) for _, slate in found if slate] == [1]
    assert (counts.events, counts.duplicates) == (2, 1)


def test_a_late_impression_is_no_sample_and_counted():
    counts = Counts()
    late = seen(0, "u", "a", "r")
    late = late._replace(received_ms=late.time_ms + 3_600_001)
    assert [slate for _, slate in with_slates([late], counts) if slate] == []
    assert counts.late == 1


def test_events_keep_their_order_and_positions_count_all_events():
    repeated = seen(0, "u", "a", "r")
    events = [repeated, repeated, seen(1, "u", "b", "r")]
    found = list(with_slates(events, Counts()))
    assert [event.room_id for event, _ in found] == ["a", "b"]
    assert [position for position, _ in found[0][1] or []] == [0, 2]
