"""The live table: when a room is on air."""

from typing import Any

import numpy as np
import pytest

from feature_service.features.events import MAX_LATENESS_MS, EventKind
from feature_service.features.schema import key_of
from feature_service.features.state import State
from feature_service.live.table import LiveTable
from tests.feature_service.event_streams import START_MS, event, state_of

HOUR_S = MAX_LATENESS_MS // 1000


class Platform:
    """A state with its live table; times are seconds since `START_MS`."""

    def __init__(self) -> None:
        self.state = state_of()
        self.live = LiveTable(self.state)

    def report(self, kind: EventKind, at_s: float = 0, **fields: Any) -> int | None:
        reported = event(kind, at_s, **({"lease_ms": 100_000} | fields))
        self.state.apply(reported)
        return self.live.learn(reported)

    def on_air(self, at_s: float) -> list[str]:
        return _room_ids(self.state, self.live.rows(START_MS + round(at_s * 1000)))

    def sweep(self, at_s: float) -> list[int]:
        return list(self.live.sweep(START_MS + round(at_s * 1000)))


def _room_ids(state: State, rows: np.ndarray[tuple[int], np.dtype[np.intp]]) -> list[str]:
    names = {key_of("room", name): name for name in ("r", "q", "x")}
    return sorted(names[key] for key in state.rooms.fields["key"][rows].tolist())


@pytest.fixture
def platform() -> Platform:
    return Platform()


def test_a_room_is_on_air_from_its_start_to_its_end(platform: Platform) -> None:
    platform.report(EventKind.ROOM_STARTED, 0)
    assert platform.on_air(1) == ["r"]
    platform.report(EventKind.ROOM_ENDED, 5)
    assert platform.on_air(5) == []


def test_a_blocked_room_is_off_air(platform: Platform) -> None:
    platform.report(EventKind.ROOM_STARTED, 0)
    assert platform.on_air(1) == ["r"]
    platform.report(EventKind.ROOM_BLOCKED, 2)
    assert platform.on_air(2) == []


def test_a_room_goes_off_air_when_its_lease_runs_out(platform: Platform) -> None:
    platform.report(EventKind.ROOM_STARTED, 0)
    assert platform.on_air(99.999) == ["r"]
    assert platform.on_air(100) == []


def test_an_update_renews_the_lease_even_after_it_ran_out(platform: Platform) -> None:
    platform.report(EventKind.ROOM_STARTED, 0)
    platform.report(EventKind.ROOM_UPDATED, 90)
    assert platform.on_air(189) == ["r"]
    assert platform.on_air(190) == []
    platform.report(EventKind.ROOM_UPDATED, 200)
    assert platform.on_air(200) == ["r"]


def test_leases_of_several_rooms_run_out_one_by_one(platform: Platform) -> None:
    platform.report(EventKind.ROOM_STARTED, 0)
    platform.report(EventKind.ROOM_STARTED, 50, room_id="q")
    assert platform.on_air(60) == ["q", "r"]
    assert platform.on_air(120) == ["q"]
    assert platform.on_air(150) == []


@pytest.mark.parametrize("end", [EventKind.ROOM_ENDED, EventKind.ROOM_BLOCKED])
def test_a_start_or_update_that_comes_after_the_end_does_not_raise_the_room(platform: Platform, end: EventKind) -> None:
    platform.report(end, 10)
    platform.report(EventKind.ROOM_STARTED, 0)
    platform.report(EventKind.ROOM_UPDATED, 11)
    assert platform.on_air(12) == []


def test_an_update_alone_does_not_put_a_room_on_air(platform: Platform) -> None:
    platform.report(EventKind.ROOM_UPDATED, 0)
    assert platform.on_air(1) == []
    platform.report(EventKind.ROOM_STARTED, 0)
    assert platform.on_air(1) == ["r"]


def test_room_events_name_the_row_and_others_do_not(platform: Platform) -> None:
    row = platform.report(EventKind.ROOM_STARTED, 0)
    assert row == platform.state.rooms.find(key_of("room", "r"))
    assert platform.report(EventKind.ROOM_ENDED, 1) == row
    assert platform.report(EventKind.LIKE, 2) is None


def test_a_rooms_streamer_is_found_by_row(platform: Platform) -> None:
    row = platform.report(EventKind.ROOM_STARTED, 0)
    assert row is not None
    streamers = platform.live.streamer_rows(np.array([row]))
    assert platform.state.streamers.fields["key"][streamers].tolist() == [key_of("streamer", "s")]


def test_a_streamers_room_is_the_one_started_last_of_those_on_air(platform: Platform) -> None:
    platform.report(EventKind.ROOM_STARTED, 0)
    platform.report(EventKind.ROOM_STARTED, 10, room_id="q")
    platform.report(EventKind.ROOM_UPDATED, 11)
    wanted = np.array([key_of("streamer", "s"), key_of("streamer", "stranger")])
    rows = platform.live.rows_of_streamers(wanted, START_MS + 12_000)
    assert platform.state.rooms.fields["key"][rows].tolist() == [key_of("room", "q"), 0]
    platform.report(EventKind.ROOM_ENDED, 20, room_id="q")
    rows = platform.live.rows_of_streamers(wanted[:1], START_MS + 20_000)
    assert platform.state.rooms.fields["key"][rows].tolist() == [key_of("room", "r")]
    platform.report(EventKind.ROOM_ENDED, 30)
    assert platform.live.rows_of_streamers(wanted[:1], START_MS + 30_000).tolist() == [0]


def test_a_tombstone_is_swept_an_hour_after_the_end(platform: Platform) -> None:
    row = platform.report(EventKind.ROOM_STARTED, 0)
    platform.report(EventKind.ROOM_ENDED, 10)
    assert platform.sweep(10 + HOUR_S) == []
    assert platform.sweep(11 + HOUR_S) == [row]
    assert key_of("room", "r") not in platform.state.rooms
    assert key_of("room", "r") not in platform.state.facts.rooms


def test_a_room_whose_lease_ran_out_is_swept_an_hour_later(platform: Platform) -> None:
    row = platform.report(EventKind.ROOM_STARTED, 0)
    assert platform.sweep(100 + HOUR_S) == []
    assert platform.sweep(101 + HOUR_S) == [row]


def test_a_freed_row_serves_the_next_room(platform: Platform) -> None:
    row = platform.report(EventKind.ROOM_STARTED, 0)
    platform.report(EventKind.ROOM_ENDED, 1)
    platform.sweep(2 + HOUR_S)
    later_s = 3 + HOUR_S
    assert platform.report(EventKind.ROOM_STARTED, later_s, room_id="q", streamer_id="t") == row
    assert platform.on_air(later_s) == ["q"]
    keys = np.array([key_of("streamer", "s"), key_of("streamer", "t")])
    assert platform.live.rows_of_streamers(keys, START_MS + later_s * 1000).tolist() == [0, row]


def test_a_room_of_which_only_viewers_told_is_swept_too(platform: Platform) -> None:
    # Or a like that comes after a room was swept would leave its record for ever.
    platform.report(EventKind.LIKE, 0, room_id="x")
    assert platform.sweep(HOUR_S) == []
    assert len(platform.sweep(1 + HOUR_S)) == 1
    assert len(platform.state.rooms) == 0


def test_a_table_over_a_restored_state_knows_its_rooms() -> None:
    state = state_of(event(EventKind.ROOM_STARTED, 0, lease_ms=100_000), event(EventKind.ROOM_ENDED, 3, room_id="q"))
    live = LiveTable(state)
    assert _room_ids(state, live.rows(START_MS + 1)) == ["r"]
    assert live.rows_of_streamers(np.array([key_of("streamer", "s")]), START_MS + 1).tolist() == [
        state.rooms.find(key_of("room", "r"))
    ]


def test_a_table_that_follows_records_says_what_the_one_says_that_learns_from_events(platform: Platform) -> None:
    generator, followed = np.random.default_rng(5), state_of()
    live = LiveTable(followed)
    rooms, streamers = ("r", "q", "x"), np.array([key_of("streamer", "s"), key_of("streamer", "t")])
    kinds = (EventKind.ROOM_STARTED, EventKind.ROOM_UPDATED, EventKind.LIKE, EventKind.ROOM_ENDED)
    on_air = found = 0
    for second in range(0, 40_000, 40):  # Rooms come and go: an end is forgotten after an hour.
        room = rooms[generator.integers(3)]
        kind = kinds[generator.choice(4, p=[0.2, 0.58, 0.2, 0.02])]
        platform.report(kind, second, room_id=room, streamer_id="t" if room == "x" else "s", lease_ms=150_000)
        record = platform.state.rooms.get(key_of("room", room)) or b""
        followed.rooms.put(np.frombuffer(record, followed.rooms.dtype))
        live.renew(np.array([followed.rooms.find(key_of("room", room))]), START_MS + second * 1000)
        for row in platform.live.sweep(START_MS + second * 1000):
            live.forget(followed.rooms.find(int(platform.state.rooms.fields["key"][row])))
        now_ms = START_MS + second * 1000 + 1
        assert _room_ids(followed, live.rows(now_ms)) == _room_ids(platform.state, platform.live.rows(now_ms))
        expected = platform.state.rooms.fields["key"][platform.live.rows_of_streamers(streamers, now_ms)]
        rows = live.rows_of_streamers(streamers, now_ms)
        # Of two rooms at once, it may tell sooner that the newer one is over.
        assert (followed.rooms.fields["key"][rows] == expected)[expected != 0].all()
        on_air += len(live.rows(now_ms))
        found += np.count_nonzero(rows)
    assert on_air > found > 0  # At times a streamer had two rooms.
