"""The simulated platform: repeatable, plausible, and each effect is there when on and gone when off."""

import tracemalloc
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from feature_service.features.events import Event, EventKind, problem
from training.data.about import read_about
from training.data.errors import DataError
from training.data.simulation.identity import room_ids
from training.data.simulation.policy import choose_slates
from training.data.simulation.settings import Effects, SimulationSettings
from training.data.simulation.world import World, draw_world, sigmoid
from training.data.simulator import simulate, simulate_log

TOY = SimulationSettings(users=60, streamers=20, days=0.25, seed=3)
SMALL = SimulationSettings(users=400, streamers=100, days=2, seed=5)
DAY = replace(SMALL, days=1)


@dataclass(frozen=True, slots=True)
class Log:
    """A world, its events, and its impressions as columns [N]."""

    world: World
    events: list[Event]
    user: np.ndarray
    room: np.ndarray
    time_ms: np.ndarray
    position: np.ndarray
    entered: np.ndarray

    def of(self, kind: EventKind) -> list[Event]:
        return [event for event in self.events if event.kind is kind]

    def affinity(self, at_ms: float | None = None) -> np.ndarray:
        """Of each impression, at its time or at a given one."""
        blocks = np.array_split(np.arange(len(self.user)), 200)
        times = [float(self.time_ms[rows].mean()) if at_ms is None else at_ms for rows in blocks]
        return np.concatenate(
            [
                self.world.affinity(self.user[rows], self.room[rows, None], when)[:, 0]
                for rows, when in zip(blocks, times, strict=True)
            ]
        )


def simulated(settings: SimulationSettings) -> Log:
    world = draw_world(settings)
    events = list(simulate(settings, world))
    rows = {name: row for row, name in enumerate(room_ids(world))}
    entered = {(e.request_id, e.room_id) for e in events if e.kind is EventKind.ENTER}
    seen = [e for e in events if e.kind is EventKind.IMPRESSION]
    return Log(
        world=world,
        events=events,
        user=np.array([int(e.user_id.removeprefix("user-")) for e in seen]),
        room=np.array([rows[e.room_id] for e in seen]),
        time_ms=np.array([e.time_ms - settings.start_ms for e in seen]),
        position=np.array([e.position for e in seen]),
        entered=np.array([(e.request_id, e.room_id) in entered for e in seen]),
    )


def without(base: SimulationSettings = DAY, /, **off: bool) -> SimulationSettings:
    return replace(base, effects=Effects(**off))


def auc(score: np.ndarray, positive: np.ndarray) -> float:
    """The chance that a positive scores higher than a negative."""
    ranks = np.empty(len(score))
    ranks[np.argsort(score)] = np.arange(len(score))
    count = positive.sum()
    return (ranks[positive].sum() - count * (count - 1) / 2) / (count * (len(score) - count))


@pytest.fixture(scope="module")
def log() -> Log:
    return simulated(SMALL)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for name, settings in (("a", TOY), ("b", TOY), ("c", replace(TOY, seed=4))):
        simulate_log(settings, tmp_path / name)
    shard = "part-00000.parquet"
    assert (tmp_path / "a" / shard).read_bytes() == (tmp_path / "b" / shard).read_bytes()
    assert (tmp_path / "a" / shard).read_bytes() != (tmp_path / "c" / shard).read_bytes()


def test_a_log_describes_itself(tmp_path: Path) -> None:
    about = simulate_log(TOY, tmp_path)
    assert read_about(tmp_path) == about
    assert about.attributes["user"]["age_band"] == {"kind": "category"}
    assert about.attributes["streamer"]["fans"] == {"kind": "number"}
    assert (about.content_width, about.first_ms) == (16, TOY.start_ms)


def test_every_event_is_good_unique_and_in_order_of_time(log: Log) -> None:
    times = [event.time_ms for event in log.events]
    assert times == sorted(times)
    assert len({event.event_id for event in log.events}) == len(log.events)
    assert [found for event in log.events if (found := problem(event, SMALL.end_ms))] == []
    assert SMALL.start_ms <= times[0] <= times[-1] < SMALL.end_ms


def test_profiles_come_first(log: Log) -> None:
    assert all(event.kind is EventKind.USER_UPDATED for event in log.events[: SMALL.users])
    assert log.events[SMALL.users].kind is EventKind.STREAMER_UPDATED


def test_marginals_are_those_of_kuailive() -> None:
    settings = SimulationSettings(users=1_200, streamers=240, days=2)
    count = Counter(event.kind for event in simulate(settings))
    enters = count[EventKind.ENTER]
    # 4,909,515 clicks of 23,772 users and 11,613,708 rooms of 452,621 streamers in 21 days.
    assert enters / settings.users / settings.days == pytest.approx(9.83, rel=0.15)
    assert count[EventKind.ROOM_STARTED] / settings.streamers / settings.days == pytest.approx(1.22, rel=0.15)
    assert count[EventKind.COMMENT] / enters == pytest.approx(196_526 / 4_909_515, rel=0.15)
    assert count[EventKind.LIKE] / enters == pytest.approx(179_311 / 4_909_515, rel=0.15)
    assert count[EventKind.GIFT] / enters == pytest.approx(72_646 / 4_909_515, rel=0.2)


def test_the_demo_world_has_some_dozen_rooms_on_air() -> None:
    world = draw_world(SimulationSettings())
    live = [len(world.live(hour * 3_600_000)) for hour in range(72)]
    assert 60 <= np.mean(live) <= 100
    assert len(world.live(72 * 3_600_000 - 1)) > 40


def test_a_room_is_shown_only_while_it_is_on_air_and_renews_its_lease(log: Log) -> None:
    heard: dict[str, int] = {}
    for event in log.events:
        if event.kind is EventKind.ROOM_ENDED:
            assert event.time_ms - heard.pop(event.room_id) <= 120_000
        elif event.kind in (EventKind.ROOM_STARTED, EventKind.ROOM_UPDATED):
            assert event.time_ms - heard.get(event.room_id, event.time_ms) <= 120_000
            heard[event.room_id] = event.time_ms
        elif event.kind is EventKind.IMPRESSION:
            assert event.room_id in heard
    assert heard, "rooms are still on air as the log ends"


def test_rarer_renewals_announce_a_longer_lease() -> None:
    settings = replace(TOY, update_minutes=4, effects=Effects(moments=False))
    updates = [event for event in simulate(settings) if event.kind is EventKind.ROOM_UPDATED]
    times = defaultdict(list)
    for event in updates:
        assert event.lease_ms == 360_000
        times[event.room_id].append(event.time_ms)
    assert {gap for room in times.values() for gap in np.diff(room).tolist()} == {240_000}


def test_nobody_is_in_two_rooms_at_once(log: Log) -> None:
    inside: dict[str, str] = {}
    for event in log.events:
        if event.kind is EventKind.ENTER:
            assert event.user_id not in inside
            inside[event.user_id] = event.room_id
        elif event.kind is EventKind.LEAVE:
            assert inside.pop(event.user_id) == event.room_id


def test_what_follows_an_impression_carries_its_request(log: Log) -> None:
    shown = {(event.request_id, event.room_id, event.user_id) for event in log.of(EventKind.IMPRESSION)}
    kinds = (EventKind.ENTER, EventKind.LEAVE, EventKind.LIKE, EventKind.COMMENT, EventKind.GIFT, EventKind.FOLLOW)
    followed = [event for event in log.events if event.kind in kinds]
    assert followed
    assert all((event.request_id, event.room_id, event.user_id) in shown for event in followed)


def test_taste_ranks_better_than_charisma(log: Log) -> None:
    charisma = log.world.streamers.charisma[log.world.rooms.streamer[log.room]]
    assert auc(log.affinity(), log.entered) > auc(charisma, log.entered) + 0.05


def test_the_policy_shows_rooms_as_often_as_its_propensities_say() -> None:
    world = draw_world(TOY)
    live, count = world.live(3_600_000), 20_000
    users = np.zeros(count, np.int64)
    columns, propensity = choose_slates(world, users, live, np.zeros((count, len(live))), np.random.default_rng(1))
    shown = np.bincount(columns[:, 0], minlength=len(live)) / count
    said = np.zeros(len(live))
    said[columns[:, 0]] = propensity[:, 0]
    # Four standard deviations of a share of 20,000 draws.
    assert np.abs(shown - said).max() < 4 * np.sqrt(0.25 / count)
    assert said.sum() == pytest.approx(1)
    assert all(len(set(slate)) == len(slate) for slate in columns[:100].tolist())
    # Inverse propensity weights at any place make every room left count once: here all but the one above it.
    assert np.mean(1 / propensity[:, 1]) == pytest.approx(len(live) - 1, rel=0.05)


def test_the_oracle_is_calibrated_and_position_bias_can_be_turned_off() -> None:
    lower = {}
    for bias in (True, False):
        found = simulated(without(position_bias=bias, repeat=False))
        world = found.world
        logit = np.concatenate(
            [
                world.standing_logit(
                    found.user[rows],
                    found.room[rows, None],
                    float(found.time_ms[rows].mean()),
                    np.zeros((len(rows), 1)),
                )[:, 0]
                for rows in np.array_split(np.arange(len(found.user)), 200)
            ]
        )
        expected = sigmoid(logit + world.heat_logit(world.heat(found.room, found.time_ms)))
        place = found.position
        assert found.entered[place == 0].mean() == pytest.approx(expected[place == 0].mean(), rel=0.1)
        lower[bias] = found.entered[place >= 5].mean() / expected[place >= 5].mean()
    assert lower[False] == pytest.approx(1, abs=0.1)
    # The weight of log(1 + position) is -0.35: at places 5 to 9 the odds are about 0.5.
    assert lower[True] < 0.7


def test_the_oracle_of_one_viewer_agrees_with_the_columns(log: Log) -> None:
    world, rooms = log.world, log.world.live(3_600_000)[:5]
    known = world.loyalty(np.array([8]))
    alone = world.enter_probability(7, rooms[:1], 3_600_000, visits=np.array([8]), position=2)
    logit = world.standing_logit(np.array([7]), rooms[None, :1], 3_600_000, known[None, :])[0]
    heat = world.heat_logit(world.heat(rooms[:1], np.array([3_600_000])))
    assert alone == pytest.approx(sigmoid(logit + heat - 0.35 * np.log(3)))


def test_moments_raise_enters_while_they_last_unless_nobody_cares(log: Log) -> None:
    ratio = {}
    for realtime, found in ((True, log), (False, simulated(without(realtime=False)))):
        hot = found.world.heat(found.room, found.time_ms) > 0
        ratio[realtime] = found.entered[hot].mean() / found.entered[~hot].mean()
        assert any(event.activity == "pk" for event in found.of(EventKind.ROOM_UPDATED))
    assert ratio[True] > 1.5
    assert ratio[False] == pytest.approx(1, abs=0.15)


def test_without_moments_rooms_stay_calm() -> None:
    quiet = simulated(without(TOY, moments=False))
    assert {event.activity for event in quiet.of(EventKind.ROOM_UPDATED)} <= {"chatting", "game"}


def test_a_moment_is_reported_as_it_begins(log: Log) -> None:
    rooms = log.world.rooms
    inside = rooms.moment_start_ms < SMALL.end_ms - SMALL.start_ms
    told = {(event.room_id, event.time_ms - SMALL.start_ms) for event in log.of(EventKind.ROOM_UPDATED)}
    ids = room_ids(log.world)
    begun = zip(rooms.moment_room[inside].tolist(), rooms.moment_start_ms[inside].tolist(), strict=True)
    assert [(room, at) for room, at in begun if (ids[room], at) not in told] == []


def test_viewers_come_back_unless_repeat_is_off(log: Log) -> None:
    shares = []
    for found in (log, simulated(without(repeat=False))):
        known: set[tuple[str, str]] = set()
        again = 0
        enters = found.of(EventKind.ENTER)
        for event in enters:
            again += (event.user_id, event.streamer_id) in known
            known.add((event.user_id, event.streamer_id))
        shares.append(again / len(enters))
    assert shares[0] > shares[1] + 0.05
    forgetful = draw_world(without(repeat=False))
    room = forgetful.live(3_600_000)[:1]
    visited = forgetful.enter_probability(0, room, 3_600_000, visits=np.array([8]))
    assert visited == forgetful.enter_probability(0, room, 3_600_000)


def test_tastes_drift_unless_drift_is_off(log: Log) -> None:
    users, end_ms = np.arange(SMALL.users), float(SMALL.end_ms - SMALL.start_ms)
    # Two days at 0.35 radians: the cosine to the first taste is cos(0.7).
    kept = np.sum(log.world.taste(users, 0) * log.world.taste(users, end_ms), axis=1)
    assert kept == pytest.approx(np.cos(0.7))
    last = log.time_ms > end_ms * 0.75
    assert auc(log.affinity()[last], log.entered[last]) > auc(log.affinity(0)[last], log.entered[last]) + 0.01
    still = draw_world(without(drift=False))
    assert np.array_equal(still.taste(users, 0), still.taste(users, end_ms))


def test_content_tells_of_taste_factors_unless_content_is_off(log: Log) -> None:
    agreement = []
    for world in (log.world, draw_world(without(content=False))):
        content, factors = world.rooms.content[:200].astype(np.float64), world.rooms.factors[:200]
        pairs = np.triu_indices(len(factors), 1)
        told, true = np.asarray(np.corrcoef(content))[pairs], (factors @ factors.T)[pairs]
        agreement.append(np.asarray(np.corrcoef(told, true))[0, 1])
    assert agreement[0] > 0.5
    assert abs(agreement[1]) < 0.1


def test_a_broadcast_differs_from_the_others_of_its_streamer_unless_that_is_off(log: Log) -> None:
    for world, differ in ((log.world, True), (draw_world(without(SMALL, broadcasts=False)), False)):
        apart = 1 - np.sum(world.rooms.factors * world.streamers.factors[world.rooms.streamer], axis=1)
        assert bool(apart.max() > 0.01) is differ


def test_a_switch_leaves_the_rest_of_the_world_as_it_was(log: Log) -> None:
    other = draw_world(without(SMALL, content=False, drift=False, position_bias=False, broadcasts=False))
    assert np.array_equal(other.rooms.start_ms, log.world.rooms.start_ms)
    assert np.array_equal(other.rooms.moment_key, log.world.rooms.moment_key)
    assert np.array_equal(other.viewers.taste, log.world.viewers.taste)


def test_newcomers_start_during_the_log_unless_they_are_off(log: Log) -> None:
    late = [event for event in log.of(EventKind.STREAMER_UPDATED) if event.time_ms > SMALL.start_ms]
    assert late
    assert all(event.attributes["fans"] == 0 for event in late)
    first = next(e for e in log.events if e.kind is EventKind.ROOM_STARTED and e.streamer_id == late[0].streamer_id)
    assert first.time_ms == late[0].time_ms
    events = simulate(without(newcomers=False))
    assert {e.time_ms for e in events if e.kind is EventKind.STREAMER_UPDATED} == {DAY.start_ms}


def test_gifts_and_follows_come_late_unless_delays_are_off(log: Log) -> None:
    for found, delayed in ((log, True), (simulated(without(TOY, delays=False)), False)):
        entered = {(e.request_id, e.room_id): e.time_ms for e in found.of(EventKind.ENTER)}
        waits = [
            event.time_ms - entered[event.request_id, event.room_id]
            for kind in (EventKind.GIFT, EventKind.FOLLOW)
            for event in found.of(kind)
        ]
        assert (max(waits) > 600_000) is delayed
        assert delayed or max(waits) <= 1_000


def test_the_log_is_streamed_not_held() -> None:
    settings = replace(TOY, users=300)
    world = draw_world(settings)
    peaks = []
    for hold in (False, True):
        tracemalloc.start()
        held = [event for event in simulate(settings, world) if hold]
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert len(held) > 3_000
    assert peaks[0] < peaks[1] / 10


def test_a_bad_size_is_named() -> None:
    with pytest.raises(DataError, match="users: expected more than 0, received 0"):
        SimulationSettings(users=0)
    with pytest.raises(DataError, match="days: expected more than 0, received nan"):
        SimulationSettings(days=float("nan"))
    with pytest.raises(DataError, match="seed: expected 0 or more, received -1"):
        SimulationSettings(seed=-1)
    with pytest.raises(DataError, match="update_minutes: expected an even number, received 3"):
        SimulationSettings(update_minutes=3)
