"""What records remember: totals, latest values, highest values and last-N lists."""

import numpy as np
from numpy.typing import NDArray

from feature_service.features.events import EventKind
from feature_service.features.reducers import Entry
from feature_service.features.room import region_place
from feature_service.features.schema import key_of
from feature_service.features.state import State
from feature_service.features.user import SEEN_LENGTH, WATCHED_LENGTH
from tests.feature_service.event_streams import START_MS, event, state_of


def _watched(state: State) -> NDArray[np.int64]:
    return state.users.fields["watched"][1]


def test_totals_sum_the_amounts_for_room_streamer_user_and_pair() -> None:
    state = state_of(event(EventKind.LEAVE, 0, watch_ms=61_500), event(EventKind.LEAVE, 9, watch_ms=2_000))
    pairs = state.pairs[key_of("user", "u")]
    for table in (state.rooms, state.streamers, state.users, pairs):
        assert table.fields["total.watch_s"][1] == 61 + 2


def test_the_latest_value_wins_whenever_it_comes() -> None:
    new, old = (
        event(EventKind.ROOM_UPDATED, at_s, category=category) for at_s, category in ((9, "games"), (1, "music"))
    )
    for events in ((new, old), (old, new)):
        assert state_of(*events).rooms.fields["category"][1] == key_of("category", "games")


def test_an_event_without_the_value_leaves_it() -> None:
    state = state_of(event(EventKind.ROOM_UPDATED, 1, viewers=7), event(EventKind.ROOM_UPDATED, 2, category="games"))
    assert state.rooms.fields["viewers"][1] == 7


def test_no_viewers_is_a_value() -> None:
    state = state_of(event(EventKind.ROOM_UPDATED, 1, viewers=7), event(EventKind.ROOM_UPDATED, 2, viewers=0))
    assert state.rooms.fields["viewers"][1] == 0


def test_of_two_values_of_one_time_the_greater_stays() -> None:
    few, many = (event(EventKind.ROOM_UPDATED, 1, viewers=viewers) for viewers in (3, 8))
    for events in ((few, many), (many, few)):
        assert state_of(*events).rooms.fields["viewers"][1] == 8


def test_an_unfollow_at_the_time_of_the_follow_does_not_undo_it() -> None:
    state = state_of(event(EventKind.UNFOLLOW, 1), event(EventKind.FOLLOW, 1))
    assert state.pairs[key_of("user", "u")].fields["followed"][1] == 1


def test_a_lease_is_never_shortened_by_an_older_renewal() -> None:
    state = state_of(
        event(EventKind.ROOM_UPDATED, 10, lease_ms=60_000), event(EventKind.ROOM_UPDATED, 5, lease_ms=60_000)
    )
    assert state.rooms.fields["lease_until_ms"][1] == START_MS + 70_000


def test_a_leave_replaces_the_enter_of_the_visit() -> None:
    state = state_of(
        event(EventKind.ENTER, 0, category="music"), event(EventKind.LEAVE, 30, watch_ms=30_000, category="music")
    )
    assert _watched(state)[:, 0].tolist() == [
        START_MS + 30_000,
        key_of("room", "r"),
        key_of("streamer", "s"),
        key_of("category", "music"),
        30_000,
    ]
    assert not _watched(state)[:, 1].any()


def test_an_enter_that_comes_after_its_leave_changes_nothing() -> None:
    leave, enter = event(EventKind.LEAVE, 30, watch_ms=30_000), event(EventKind.ENTER, 0)
    np.testing.assert_array_equal(_watched(state_of(leave, enter)), _watched(state_of(enter, leave)))


def test_the_watched_list_keeps_the_newest_rooms_newest_first() -> None:
    state = state_of(*(event(EventKind.ENTER, at_s, room_id=f"r{at_s}") for at_s in range(WATCHED_LENGTH + 3)))
    expected = [key_of("room", f"r{at_s}") for at_s in range(WATCHED_LENGTH + 2, 2, -1)]
    assert _watched(state)[Entry.ROOM].tolist() == expected


def test_the_seen_list_holds_a_room_as_often_as_it_was_seen() -> None:
    state = state_of(*(event(EventKind.IMPRESSION, at_s) for at_s in range(3)))
    rooms = state.users.fields["seen"][1, Entry.ROOM]
    assert np.count_nonzero(rooms == key_of("room", "r")) == 3
    assert len(rooms) == SEEN_LENGTH


def test_visits_are_counted_by_region_and_those_without_one_are_not() -> None:
    state = state_of(
        *(event(EventKind.ENTER, at_s, region=region) for at_s, region in enumerate(("JP", "", "JP", "BR")))
    )
    visits = state.rooms.fields["visits_by_region"][1]
    assert visits[region_place("JP")] == 2
    assert visits[region_place("BR")] == 1
    assert visits.sum() == 3


def test_streamer_keeps_the_content_of_the_last_room() -> None:
    state = state_of(
        *(
            event(EventKind.ROOM_UPDATED, at_s, room_id=room, content=content)
            for at_s, room, content in ((0, "r1", (1.0, 0.0)), (9, "r2", (0.0, 1.0)), (5, "r1", (0.5, 0.5)))
        )
    )
    assert state.streamers.fields["content"][1].tolist() == [0.0, 1.0]
