"""The state: what an event changes, and what it does not."""

import numpy as np
import pytest

from feature_service.features.events import MAX_LATENESS_MS, EventKind
from feature_service.features.schema import key_of
from feature_service.features.view import Context
from tests.feature_service.event_streams import START_MS, contents, event, state_of

NOTHING = contents(state_of())


def test_an_event_received_within_the_hour_counts() -> None:
    in_time = event(EventKind.ENTER)._replace(received_ms=START_MS + MAX_LATENESS_MS)
    assert state_of(in_time).users.fields["total.enter"][1] == 1


def test_a_late_event_changes_nothing() -> None:
    late = event(EventKind.ENTER)._replace(received_ms=START_MS + MAX_LATENESS_MS + 1)
    assert contents(state_of(late)) == NOTHING


def test_a_sampled_room_changes_nothing() -> None:
    assert contents(state_of(event(EventKind.IMPRESSION, sampled=True))) == NOTHING


def test_erasure_leaves_nothing_of_the_user() -> None:
    others = state_of(event(EventKind.ENTER, user_id="v"), event(EventKind.LIKE))
    erased = state_of(
        event(EventKind.ENTER, user_id="v"),
        event(EventKind.LIKE),
        event(EventKind.USER_ERASED, 1, room_id="", streamer_id=""),
    )
    user = key_of("user", "u")
    assert user not in erased.users
    assert user not in erased.pairs
    assert user not in erased.facts.users
    # The others keep what they have, the room's like included.
    for table in ("rooms", "streamers"):
        assert contents(erased)[table] == contents(others)[table]
    assert list(erased.users) == [key_of("user", "v")]


def test_a_user_who_comes_back_after_erasure_starts_anew() -> None:
    state = state_of(
        event(EventKind.LIKE), event(EventKind.USER_ERASED, 1, room_id="", streamer_id=""), event(EventKind.LIKE, 2)
    )
    assert state.users.fields["total.like"][state.users.find(key_of("user", "u"))] == 1


def test_an_unknown_user_reads_zeros_even_after_others_came() -> None:
    state = state_of(event(EventKind.ENTER, category="music"), event(EventKind.FOLLOW))
    one = np.ones(1, np.intp)
    view = state.view(key_of("user", "stranger"), one, one, Context(), START_MS)
    assert not view.user["watched"].any()
    assert view.user.total("enter").tolist() == [0]
    assert view.user.decayed("enter").tolist() == [[0, 0]]
    assert view.pair["followed"].tolist() == [0]


def test_an_event_without_a_streamer_changes_no_streamer() -> None:
    state = state_of(event(EventKind.ROOM_ENDED, user_id="", streamer_id=""))
    assert len(state.streamers) == 0
    assert state.rooms.fields["ended_ms"][1] == START_MS


def test_facts_fill_in_what_a_visit_leaves_out() -> None:
    facts = state_of(event(EventKind.ROOM_STARTED, user_id="", category="music")).facts
    enter = event(EventKind.ENTER, streamer_id="")
    completed = facts.complete(enter, lease_ms=60_000)
    assert completed == enter._replace(streamer_id="s", category="music")
    assert facts.complete(event(EventKind.LIKE), 60_000).category == ""


def test_facts_give_a_room_the_lease_of_the_settings() -> None:
    facts = state_of().facts
    assert facts.complete(event(EventKind.ROOM_STARTED), 60_000).lease_ms == 60_000
    assert facts.complete(event(EventKind.ROOM_STARTED, lease_ms=9), 60_000).lease_ms == 9


@pytest.mark.parametrize("kind", ["room", "streamer", "user"])
def test_an_id_with_the_key_of_another_is_refused(kind: str) -> None:
    facts = state_of(event(EventKind.ROOM_STARTED)).facts
    assert facts.collision(event(EventKind.ENTER)) is None
    # No two ids with one key are at hand, so the held id is made another.
    if kind == "room":
        facts.rooms[key_of("room", "r")].room_id = "other"
    else:
        held = facts.streamers if kind == "streamer" else facts.users
        held[key_of(kind, kind[0])] = "other"
    assert facts.collision(event(EventKind.ENTER)) == (
        f"{kind}_id: {kind[0]!r} has the key of 'other'; choose another id"
    )
