"""The loop with a real service on its simulation's clock, without a model server: hot rooms alone."""

from pathlib import Path

import numpy as np

from feature_service.features.events import EventKind
from training.closed_loop.history import assign, fresh_service_data, live_through, loop_world
from training.closed_loop.loop import Loop, Outcomes
from training.closed_loop.policies import Policy, oracle
from training.closed_loop.stack import Clock, served
from training.data.sample_set import build_samples
from training.data.simulation.crowd import Asking
from training.data.simulation.people import Ints
from training.data.simulation.settings import SimulationSettings
from training.demo import DemoFolders

SETTINGS = SimulationSettings(users=60, streamers=40, days=0.25)
MINUTES = 60


async def test_viewers_of_each_arm_see_its_slates_and_the_service_learns_of_all(tmp_path: Path) -> None:
    folders, world = DemoFolders(tmp_path), loop_world(SETTINGS, MINUTES)
    history = live_through(world, SETTINGS.days, folders, lambda _: None)
    build_samples(folders.log, folders.samples)
    fresh_service_data(folders)
    settings = tmp_path / "settings.toml"
    text = (folders.samples / "settings.toml").read_text(encoding="utf-8")
    settings.write_text(f'{text}\n[scene]\nranker = ""\n[scene.channels]\nhot = 100\n', encoding="utf-8")
    arm, outcomes = assign(world.users, 3, 5), Outcomes.none(world.users)
    assert np.bincount(arm).tolist() == [20, 20, 20]
    assert assign(world.users, 3, 5).tolist() == arm.tolist()
    simulation = history.simulation
    clock = Clock(world.start_ms + simulation.now_ms)
    async with served(settings, folders.service, "127.0.0.1:1", clock, simulation.room_ids) as stack:
        asked: dict[str, set[int]] = {}

        def noted(name: str, policy: Policy) -> Policy:
            def choose(asking: Asking, k: int) -> Ints:
                asked.setdefault(name, set()).update(asking.users.tolist())
                return policy(asking, k)

            return choose

        plain = {"popularity": history.popularity, "oracle": oracle, "onair": stack}
        policies = {name: noted(name, policy) for name, policy in plain.items()}
        minutes: list[int] = []

        async def after_step(done: int) -> None:
            minutes.append(done)

        await Loop(simulation, policies, arm, outcomes).run(MINUTES, stack, history.popularity, after_step)
        assert minutes[-1] == MINUTES
        assert clock.now_ms == world.start_ms + simulation.now_ms == world.end_ms
        for number, name in enumerate(policies):
            assert asked[name] == set(np.flatnonzero((arm == number) & (outcomes.slates > 0)).tolist())
        assert stack.degraded == 0
        assert outcomes.watch_s.sum() > 0
        assert np.allclose(outcomes.worth[arm == 1], outcomes.slates[arm == 1])  # The oracle's slates are the measure.
        assert (outcomes.last_slate_ms[outcomes.slates > 0] >= SETTINGS.days * 86_400_000).all()


def test_a_history_is_the_same_whether_its_log_is_written_or_there(tmp_path: Path) -> None:
    folders, world = DemoFolders(tmp_path), loop_world(SETTINGS, MINUTES)
    first, again = (live_through(world, SETTINGS.days, folders, lambda _: None) for _ in range(2))
    following = [[event for _ in range(5) for event in each.simulation.step()] for each in (first, again)]
    assert following[0] == following[1]
    assert any(event.kind is EventKind.IMPRESSION for event in following[0])
    assert np.array_equal(first.before.watch_s, again.before.watch_s)
