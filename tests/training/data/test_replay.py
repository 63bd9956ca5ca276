"""Replay: features as of the request, from hand-written logs."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feature_service.features.catalog import build_catalog
from feature_service.features.events import Event, EventKind
from feature_service.features.layout import Layout, LayoutError
from feature_service.features.room import DEFAULT_LEASE_MS
from feature_service.features.schema import key_of
from feature_service.features.state import State
from feature_service.features.tensors import TensorBuilder, Tensors
from feature_service.features.view import Context
from tests.training.data.small_logs import CATALOG, event, ms, seen, started, viewer
from training.data.chunks import Chunk
from training.data.replay import Replay
from training.data.requests import Counts, with_slates
from training.data.samples import RoomVersions
from training.data.simulation.settings import SimulationSettings
from training.data.simulator import simulate

EVERYTHING = CATALOG.layout()
CONTENTFUL = build_catalog(SimulationSettings().content_width)


def replayed(events: Sequence[Event], *patterns: str) -> Chunk:
    """The only chunk of a log."""
    (chunk,) = Replay(CATALOG, CATALOG.layout(patterns or ("*",))).chunks(events)
    return chunk


def column(chunk: Chunk) -> list[float]:
    """The values of a chunk whose layout has one feature of width 1."""
    sides = {**chunk.slates.tensors, **chunk.candidates.tensors}
    (values,) = sides.values()
    return values[:, 0].tolist()


ENTERED = [
    started("a1", 0),
    seen(10, "u", "a1", "r1"),
    viewer(EventKind.ENTER, 11, "u", "a1", "r1"),
    viewer(EventKind.LEAVE, 41, "u", "a1", "r1", watch_ms=30_000),
    seen(60, "u", "a1", "r2"),
]


@pytest.mark.parametrize(
    ("feature", "values"),
    [
        ("room.impression.total", [0, 1]),
        ("room.enter.total", [0, 1]),
        ("pair.watch_s.total", [0, 30]),
        ("pair.watched", [0, 1]),
        ("pair.room_impressions", [0, 1]),
        ("room.minutes_on_air", [10 / 60, 1]),
        # The leave at 41 s was the last sign of the visit.
        ("pair.minutes_since_watched", [0, 19 / 60]),
    ],
)
def test_features_are_as_of_the_request(feature: str, values: list[float]):
    assert column(replayed(ENTERED, feature)) == pytest.approx(values)


def test_impressions_of_a_request_do_not_count_for_each_other():
    events = [started("a1", 0), seen(1, "u", "a1", "r"), seen(2, "u", "a1", "r", event_id="again")]
    assert column(replayed(events, "room.impression.total")) == [0, 0]


def test_a_room_seen_while_scrolling_has_the_features_of_the_request():
    events = [
        started("a1", 0),
        started("b1", 0),
        seen(1, "u", "a1", "r"),
        viewer(EventKind.LIKE, 5, "v", "b1"),
        seen(9, "u", "b1", "r"),
    ]
    assert column(replayed(events, "room.like.total")) == [0, 0]


def test_the_clock_is_the_first_impression_and_the_context_its_own():
    first = seen(30, "u", "a1", "r", scene="tab", device="phone")
    chunk = replayed([started("a1", 0), first, seen(90, "u", "b1", "r")], "context.scene", "context.device")
    assert chunk.slates.time_ms.tolist() == [ms(30)]
    assert sorted(chunk.slates.tensors["user_ids"][0].tolist()) == sorted(
        [key_of("scene", "tab"), key_of("device", "phone")]
    )


def test_candidates_carry_keys_positions_propensities_and_log_positions():
    events = [
        started("a1", 0),
        seen(1, "u", "a1", "r1", position=0, propensity=0.25),
        seen(1, "u", "b1", "r1", position=1, sampled=True),
        seen(7, "v", "a1", "r2"),
    ]
    chunk = replayed(events)
    candidates = chunk.candidates
    assert candidates.slate.tolist() == [0, 0, 1]
    assert candidates.room.tolist() == [key_of("room", room) for room in ("a1", "b1", "a1")]
    assert candidates.streamer.tolist() == [key_of("streamer", f"streamer-{each}") for each in "aba"]
    assert candidates.position.tolist() == [0, 1, -1]
    assert candidates.propensity.tolist() == [0.25, 0, 0]
    assert candidates.sampled.tolist() == [False, True, False]
    assert chunk.event.tolist() == [1, 2, 3]
    assert chunk.slates.user.tolist() == [key_of("user", "u"), key_of("user", "v")]


def test_sampled_impressions_change_no_record():
    events = [started("a1", 0), seen(1, "u", "a1", "r1", sampled=True), seen(2, "u", "a1", "r2")]
    assert column(replayed(events, "room.impression.total")) == [0, 0]


def test_late_events_and_duplicates_change_no_record():
    like = viewer(EventKind.LIKE, 1, "v", "a1")
    late = like._replace(event_id="late", received_ms=like.time_ms + 3_600_001)
    events = [started("a1", 0), like, like, late, seen(4000, "u", "a1", "r")]
    assert column(replayed(events, "room.like.total")) == [1]


def test_a_visit_takes_the_category_of_its_room():
    events = [*ENTERED[:3], seen(20, "u", "a1", "r2")]
    history = replayed(events, "user.watched.category").slates.tensors["history_ids"]
    assert history[1, 0, 0] == key_of("category", "music")


def test_chunks_are_the_same_samples_whatever_their_size():
    events = [started("a1", 0), *(seen(10 * i, f"u{i % 3}", "a1", f"r{i}") for i in range(1, 8))]
    (whole,) = Replay(CATALOG, EVERYTHING).chunks(events)
    parts = list(Replay(CATALOG, EVERYTHING, chunk_slates=2).chunks(events))
    assert [len(part.slates.user) for part in parts] == [2, 2, 2, 1]
    assert np.concatenate([part.candidates.slate for part in parts]).tolist() == whole.candidates.slate.tolist()
    for name, values in whole.candidates.tensors.items():
        assert np.concatenate([part.candidates.tensors[name] for part in parts]).tobytes() == values.tobytes()


def test_slates_computed_together_have_the_bytes_of_each_computed_alone_as_the_service_does():
    events = list(simulate(SimulationSettings(users=120, streamers=25, days=0.1)))
    (chunk,) = Replay(CONTENTFUL, CONTENTFUL.layout()).chunks(events)
    state, builder = State(CONTENTFUL.memories), TensorBuilder(CONTENTFUL, CONTENTFUL.layout())
    alone: list[Tensors] = []
    for happened, slate in with_slates(events, Counts()):
        if slate:
            first = slate[0][1]
            rows, streamers = (
                np.array([table.find(key_of(kind, getattr(each, f"{kind}_id"))) for _, each in slate], np.intp)
                for kind, table in (("room", state.rooms), ("streamer", state.streamers))
            )
            where = Context(first.scene, first.device, first.network, first.region)
            view = state.view(key_of("user", first.user_id), rows, streamers, where, first.time_ms)
            alone.append(builder.build(view))
        state.apply(state.facts.complete(happened, DEFAULT_LEASE_MS))
    assert len(alone) > 64  # More than one block.
    for name, values in {**chunk.slates.tensors, **chunk.candidates.tensors}.items():
        assert np.concatenate([each[name] for each in alone]).tobytes() == values.tobytes(), name


def test_a_slate_larger_than_a_chunk_is_kept_whole():
    events = [started("a1", 0), *(seen(1, "u", f"a{i}", "r") for i in range(25))]
    (chunk,) = Replay(CATALOG, EVERYTHING, chunk_slates=1).chunks(events)
    assert len(chunk.candidates.room) == 25


def test_a_layout_that_the_catalogue_cannot_fill_is_refused():
    with pytest.raises(LayoutError, match="no such feature"):
        Replay(CATALOG, Layout.from_strings({"user_floats": ["user.height@1:float32:1"]}))


USERS, ROOMS = ("u", "v"), ("a1", "b1", "b2")
_KINDS = (EventKind.IMPRESSION, EventKind.ENTER, EventKind.LEAVE, EventKind.LIKE, EventKind.GIFT, EventKind.FOLLOW)
_actions = st.tuples(
    st.sampled_from(_KINDS), st.integers(0, 90), st.sampled_from(USERS), st.sampled_from(ROOMS), st.integers(0, 3)
)


def log_of(actions: Sequence[tuple[EventKind, int, str, str, int]]) -> list[Event]:
    """Events in order of time, after the start of all rooms."""
    events = [started(room, 0) for room in ROOMS]
    seconds = 1
    for number, (kind, gap, user, room, request) in enumerate(actions):
        seconds += gap
        events.append(
            viewer(kind, seconds, user, room, f"r{request}", event_id=f"e{number}", watch_ms=5000, gift_value=2.5)
        )
    return events


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(_actions, max_size=25), st.integers(0, 25))
def test_what_happens_after_an_impression_does_not_change_its_features(actions: list, kept: int):
    events = log_of(actions)
    cut = events[: len(ROOMS) + kept]
    whole, part = (list(Replay(CATALOG, EVERYTHING).chunks(each)) for each in (events, cut))
    if not part:
        return
    shared = np.isin(whole[0].event, part[0].event)
    assert whole[0].event[shared].tolist() == part[0].event.tolist()
    for name, values in part[0].candidates.tensors.items():
        assert whole[0].candidates.tensors[name][shared].tobytes() == values.tobytes()
    for name, values in part[0].slates.tensors.items():
        rows = np.unique(whole[0].candidates.slate[shared])
        assert whole[0].slates.tensors[name][rows].tobytes() == values.tobytes()


def versions(events: Sequence[Event]) -> RoomVersions:
    """The room versions of a log."""
    replay = Replay(CATALOG, CATALOG.layout(["room.activity", "streamer.enter.total"]))
    list(replay.chunks(events))
    return replay.room_versions()


def updated(room: str, seconds: float, **fields: Any) -> Event:
    return event(EventKind.ROOM_UPDATED, seconds, room_id=room, streamer_id=f"streamer-{room[0]}", **fields)


def spans(found: RoomVersions) -> list[tuple[int, int]]:
    return sorted(zip(found.start_ms.tolist(), found.stop_ms.tolist(), strict=True))


def test_a_room_is_one_version_from_its_start_to_its_end():
    found = versions([started("a1", 0), event(EventKind.ROOM_ENDED, 500, room_id="a1")])
    assert spans(found) == [(ms(0), ms(500))]
    assert found.room.tolist() == [key_of("room", "a1")]
    assert found.streamer.tolist() == [key_of("streamer", "streamer-a")]


def test_a_change_makes_a_new_version_and_a_renewal_none():
    events = [
        started("a1", 0, activity="chatting"),
        updated("a1", 60, activity="chatting", viewers=7),
        updated("a1", 120, activity="pk"),
        event(EventKind.ROOM_ENDED, 500, room_id="a1"),
    ]
    found = versions(events)
    assert spans(found) == [(ms(0), ms(120)), (ms(120), ms(500))]
    order = np.argsort(found.start_ms)
    assert found.tensors["candidate_ids"][order, 0].tolist() == [
        key_of("activity", each) for each in ("chatting", "pk")
    ]


def test_a_renewal_after_an_hour_takes_in_the_streamers_counts():
    events = [started("a1", 0), viewer(EventKind.ENTER, 60, "u", "a1"), updated("a1", 120), updated("a1", 3600)]
    found = versions(events)
    order = np.argsort(found.start_ms)
    assert found.start_ms[order].tolist() == [ms(0), ms(3600)]
    assert found.tensors["candidate_floats"][order, 0].tolist() == [0, 1]


def test_a_lost_end_is_the_end_of_the_lease():
    assert spans(versions([started("a1", 0, lease_ms=180_000)])) == [(ms(0), ms(180))]


def test_a_room_whose_lease_ran_out_comes_back_with_a_renewal():
    events = [started("a1", 0, lease_ms=180_000), updated("a1", 600, lease_ms=180_000)]
    assert spans(versions(events)) == [(ms(0), ms(180)), (ms(600), ms(780))]


def test_an_update_after_the_end_opens_nothing():
    events = [started("a1", 0), event(EventKind.ROOM_ENDED, 100, room_id="a1"), updated("a1", 101, activity="pk")]
    assert spans(versions(events)) == [(ms(0), ms(100))]


def test_rooms_off_air_for_good_are_forgotten():
    replay = Replay(CATALOG, EVERYTHING)
    events = [started("a1", 0), event(EventKind.ROOM_ENDED, 1, room_id="a1"), started("b1", 8000)]
    list(replay.chunks(events))
    assert list(replay.state.rooms) == [key_of("room", "b1")]
