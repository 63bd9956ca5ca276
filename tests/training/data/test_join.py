"""The label join: which impression an event counts for."""

from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_service.features.events import Event, EventKind
from feature_service.features.schema import key_of
from tests.training.data.small_logs import END_S, event, ms, seen, started, viewer
from training.data.event_schema import to_table
from training.data.join import JOIN_COLUMNS, Extent, enters_of, join
from training.heads import HEAD_NAMES

ENTER, LEAVE, LIKE, FOLLOW = EventKind.ENTER, EventKind.LEAVE, EventKind.LIKE, EventKind.FOLLOW
END = started("z9", END_S)

MASKED = None


def labels(events: Sequence[Event], head: str, heads: Sequence[str] = HEAD_NAMES) -> list[float | None]:
    """The head's label of each impression in the log's order; `MASKED` where it has none."""
    found = join(to_table(events).select(JOIN_COLUMNS), heads)
    place = HEAD_NAMES.index(head)
    pairs = zip(found.labels[:, place].tolist(), found.mask[:, place].tolist(), strict=True)
    return [label if known else MASKED for label, known in pairs]


def test_an_event_with_a_request_id_counts_for_the_impression_of_that_request():
    events = [seen(0, "u", "a", "r1"), seen(5, "u", "a", "r2"), viewer(ENTER, 9, "u", "a", "r1"), END]
    assert labels(events, "enter") == [1, 0]


def test_an_event_without_one_counts_for_the_latest_impression_of_its_user_and_room():
    events = [
        seen(0, "u", "a", "r1"),
        seen(5, "u", "a", "r2"),
        seen(6, "u", "b", "r2"),
        seen(7, "v", "a", "r3"),
        viewer(ENTER, 9, "u", "a"),
        seen(20, "u", "a", "r4"),
        END,
    ]
    assert labels(events, "enter") == [0, 1, 0, 0, 0]


def test_an_event_of_an_unknown_request_counts_for_none():
    assert labels([seen(0, "u", "a", "r1"), viewer(ENTER, 1, "u", "a", "other"), END], "enter") == [0]


def test_an_event_at_the_time_of_its_impression_counts():
    assert labels([viewer(ENTER, 0, "u", "a", "r"), seen(0, "u", "a", "r"), END], "enter") == [1]


def test_an_event_before_its_impression_does_not_count():
    assert labels([viewer(ENTER, 0, "u", "a"), seen(1, "u", "a"), END], "enter") == [0]


def test_a_follow_goes_by_the_streamer():
    follow = event(FOLLOW, 30, user_id="u", streamer_id="streamer-a")
    assert labels([seen(0, "u", "a1", "r"), seen(1, "u", "b1", "r"), follow, END], "follow") == [1, 0]


def test_an_event_counts_within_the_heads_window_only():
    # The window of enter is 600 s.
    events = [seen(0, "u", "a"), viewer(ENTER, 600, "u", "a"), seen(1000, "u", "b"), viewer(ENTER, 1601, "u", "b"), END]
    assert labels(events, "enter") == [1, 0]


def test_a_late_event_counts():
    like = viewer(LIKE, 60, "u", "a", "r")
    assert labels([seen(0, "u", "a", "r"), END, like._replace(received_ms=ms(9 * 3600))], "like") == [1]


def test_a_watch_of_a_minute_is_long():
    events = [
        seen(0, "u", "a", "r"),
        seen(0, "u", "b", "r"),
        viewer(ENTER, 1, "u", "a", "r"),
        viewer(LEAVE, 61, "u", "a", "r", watch_ms=60_000),
        viewer(ENTER, 70, "u", "b", "r"),
        viewer(LEAVE, 80, "u", "b", "r", watch_ms=59_999),
        END,
    ]
    assert labels(events, "long_watch") == [1, 0]
    assert labels(events, "watch_time") == [60, np.float32(59.999)]


def test_the_longest_of_several_visits_counts_and_a_duplicate_changes_nothing():
    leave = viewer(LEAVE, 30, "u", "a", "r", watch_ms=20_000)
    events = [seen(0, "u", "a", "r"), viewer(ENTER, 1, "u", "a", "r"), leave, leave]
    longer = viewer(LEAVE, 90, "u", "a", "r", watch_ms=40_000)
    assert labels([*events, END], "watch_time") == [20]
    assert labels([*events, longer, END], "watch_time") == [40]


def test_a_visit_that_ended_with_its_room_is_censored():
    events = [
        started("a1", 0),
        seen(0, "u", "a1", "r"),
        viewer(ENTER, 1, "u", "a1", "r"),
        viewer(LEAVE, 21, "u", "a1", "r", watch_ms=20_000),
        seen(30, "u", "a1", "s"),
        viewer(ENTER, 31, "u", "a1", "s"),
        viewer(LEAVE, 300, "u", "a1", "s", watch_ms=269_000),
        event(EventKind.ROOM_ENDED, 300, room_id="a1"),
        seen(40, "v", "b1", "t"),
        END,
    ]
    found = join(to_table(events).select(JOIN_COLUMNS))
    assert found.censored.tolist() == [False, True, False]


def test_what_gifts_were_worth_adds_up():
    gifts = [viewer(EventKind.GIFT, at, "u", "a", "r", gift_value=worth) for at, worth in ((5, 3.0), (6, 4.5))]
    events = [seen(0, "u", "a", "r"), seen(1, "u", "b", "r"), *gifts, END]
    assert labels(events, "gift") == [1, 0]
    assert labels(events, "gift_value") == [7.5, 0]


def test_an_impression_that_is_reported_twice_takes_no_event_from_the_first_report():
    once = seen(0, "u", "a", "r")
    assert labels([once, once, viewer(ENTER, 1, "u", "a", "r"), END], "enter") == [1, MASKED]


def test_a_visit_whose_enter_came_too_late_for_the_impression_is_not_its_watch():
    late_enter = viewer(ENTER, 900, "u", "a", "r")
    leave = viewer(LEAVE, 1000, "u", "a", "r", watch_ms=100_000)
    events = [seen(0, "u", "a", "r"), late_enter, leave, END]
    assert labels(events, "enter") == [0]
    assert labels(events, "long_watch") == [0]
    assert labels(events, "watch_time") == [MASKED]


def test_a_leave_tells_of_the_watch_in_a_log_without_enters():
    events = [seen(0, "u", "a", "r"), viewer(LEAVE, 100, "u", "a", "r", watch_ms=90_000), END]
    assert labels(events, "long_watch") == [1]
    assert labels(events, "watch_time") == [90]


def test_a_part_of_a_log_is_joined_with_what_is_known_of_the_whole():
    part = to_table([seen(0, "u", "a"), viewer(LEAVE, 90, "u", "a", watch_ms=90_000), seen(100, "v", "a")])
    place = HEAD_NAMES.index("long_watch")
    # The log has enters, so that a leave alone tells nothing; two hours are over for the first impression.
    found = join(part.select(JOIN_COLUMNS), HEAD_NAMES, Extent(ms(7_200), frozenset({ENTER, LEAVE})))
    assert found.labels[:, place].tolist() == [0, 0]
    assert found.mask[:, place].tolist() == [True, False]


def test_watch_time_is_masked_where_nobody_entered_and_long_watch_is_not():
    events = [seen(0, "u", "a", "r"), END]
    assert labels(events, "watch_time") == [MASKED]
    assert labels(events, "long_watch") == [0]


def test_a_visit_without_a_leave_has_no_watch():
    events = [seen(0, "u", "a", "r"), viewer(ENTER, 1, "u", "a", "r"), END]
    assert labels(events, "watch_time") == labels(events, "long_watch") == [MASKED]


def test_a_window_that_reaches_beyond_the_log_is_masked_even_of_positives():
    events = [seen(0, "u", "a", "r"), viewer(LIKE, 5, "u", "a", "r"), viewer(ENTER, 700, "v", "b")]
    assert labels(events, "like") == [MASKED]
    assert labels(events, "enter") == [0]


def test_heads_that_the_log_has_no_labels_for_are_masked():
    events = [seen(0, "u", "a", "r"), viewer(ENTER, 1, "u", "a", "r"), END]
    assert labels(events, "like", heads=("enter",)) == [MASKED]
    assert join(to_table(events)).mask.any(axis=0).tolist() == [name == "enter" for name in HEAD_NAMES]


def test_sampled_rooms_are_negatives_and_take_no_event_of_another_impression():
    events = [
        seen(0, "u", "a", "r1"),
        seen(5, "u", "a", "r2", sampled=True),
        viewer(ENTER, 9, "u", "a"),
        END,
    ]
    assert labels(events, "enter") == [1, 0]


def test_labels_are_found_by_log_position():
    events = [seen(0, "u", "a", "r"), started("q1", 1), seen(2, "v", "a", "s"), viewer(ENTER, 3, "v", "a", "s"), END]
    found = join(to_table(events))
    assert found.event.tolist() == [0, 2]
    assert found.of(np.array([2, 0])).labels[:, 0].tolist() == [1, 0]


def test_visits_that_began_come_once_each():
    enter = viewer(ENTER, 3, "v", "a1", "s")
    found = enters_of(to_table([seen(0, "v", "a1", "s"), enter, enter, END]))
    assert found.time_ms.tolist() == [ms(3)]
    assert (found.user[0], found.streamer[0], found.room[0]) == (
        key_of("user", "v"),
        key_of("streamer", "streamer-a"),
        key_of("room", "a1"),
    )


def test_a_visit_lasts_as_long_as_its_longest_leave_and_no_longer_than_until_the_next_enter():
    visit = [viewer(ENTER, 3, "v", "a1"), viewer(LEAVE, 9, "v", "a1", watch_ms=6_000)]
    again = [viewer(ENTER, 20, "v", "a1"), viewer(LEAVE, 30, "v", "a1", watch_ms=10_000)]
    late = [viewer(LEAVE, 40, "v", "a1", watch_ms=9_000), viewer(ENTER, 41, "v", "a1"), viewer(ENTER, 42, "w", "a1")]
    stray = [viewer(LEAVE, 43, "x", "a1", watch_ms=5_000), viewer(LEAVE, 44, "w", "b1", watch_ms=5_000)]
    found = enters_of(to_table([*visit, *again, *late, *stray, END]))
    assert found.time_ms.tolist() == [ms(3), ms(20), ms(41), ms(42)]
    assert found.watch_ms.tolist() == [6_000, 10_000, -1, -1]


_moves = st.tuples(
    st.sampled_from([EventKind.IMPRESSION, ENTER]), st.integers(0, 400), st.sampled_from("uv"), st.sampled_from("ab"),
    st.sampled_from(["", "r1", "r2"]),
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.lists(_moves, max_size=20))
def test_the_join_agrees_with_a_search_through_all_pairs(moves: list):
    events, seconds = [], 0
    for number, (kind, gap, user, room, request) in enumerate(moves):
        seconds += gap
        events.append(viewer(kind, seconds, user, room, request, event_id=str(number)))
    impressions = [each for each in events if each.kind is EventKind.IMPRESSION]
    credited: set[str] = set()
    for enter in (each for each in events if each.kind is ENTER):
        earlier = [
            each
            for each in impressions
            if (each.user_id, each.room_id) == (enter.user_id, enter.room_id)
            and (not enter.request_id or each.request_id == enter.request_id)
            and each.time_ms <= enter.time_ms
        ]
        # The latest of them; of one time, the last in the log.
        latest = max(enumerate(earlier), key=lambda pair: (pair[1].time_ms, pair[0]), default=None)
        if latest and enter.time_ms - latest[1].time_ms <= 600_000:
            credited.add(latest[1].event_id)
    assert labels([*events, started("z9", seconds + 9999)], "enter") == [
        each.event_id in credited for each in impressions
    ]


def delays(events: Sequence[Event], head: str) -> list[float]:
    """How long after each impression the head's first positive event came."""
    return join(to_table(events).select(JOIN_COLUMNS)).delay_s[:, HEAD_NAMES.index(head)].tolist()


def test_a_delay_is_that_of_the_first_event_even_where_the_window_is_not_over():
    events = [
        seen(0, "u", "a", "r1"),
        seen(1, "v", "a", "r2"),
        viewer(LIKE, 40, "u", "a", "r1"),
        viewer(LIKE, 30, "u", "a", "r1"),
    ]
    assert delays(events, "like") == [30, np.inf]
    assert labels(events, "like") == [MASKED, MASKED]


def test_a_long_watch_has_come_when_the_viewer_leaves_after_a_minute():
    events = [
        seen(0, "u", "a", "r"),
        viewer(ENTER, 1, "u", "a", "r"),
        viewer(LEAVE, 31, "u", "a", "r", watch_ms=30_000),
        viewer(ENTER, 100, "u", "a", "r"),
        viewer(LEAVE, 200, "u", "a", "r", watch_ms=100_000),
        END,
    ]
    assert delays(events, "long_watch") == [200]
    assert delays(events, "watch_time") == [np.inf]


def test_what_users_did_who_were_erased_is_nobodys():
    """Their events stay for the rooms' sake, without a user: they are no visits of one user, and no labels."""
    events = [
        seen(0, "", "a"),
        viewer(ENTER, 1, "", "a"),
        viewer(LEAVE, 91, "", "a", watch_ms=90_000),
        seen(5, "u", "a", "r"),
        viewer(ENTER, 6, "u", "a", "r"),
        END,
    ]
    assert labels(events, "enter") == [MASKED, 1]
    assert enters_of(to_table(events).select(JOIN_COLUMNS)).user.tolist() == [key_of("user", "u")]
