"""Policies that need no stack."""

import numpy as np
import pytest

from feature_service.features.events import Event, EventKind
from training.closed_loop.policies import Popularity, best, oracle, random_order, worth
from training.data.simulation.crowd import Asking
from training.data.simulation.settings import SimulationSettings
from training.data.simulation.world import draw_world

WORLD = draw_world(SimulationSettings(users=50, streamers=200, days=1.0))
NOON_MS = 12 * 3_600_000


def asking() -> Asking:
    live, users = WORLD.live(NOON_MS), np.arange(20)
    names = [f"request-{user}" for user in users]
    return Asking(WORLD, users, live, np.zeros((20, len(live))), NOON_MS, names, np.random.default_rng(1))


def test_the_best_columns_come_in_order_and_equal_ones_by_their_place() -> None:
    assert best(np.array([[1.0, 3.0, 3.0, 2.0]]), 3).tolist() == [[1, 2, 3]]


def test_popularity_follows_the_enters_so_far() -> None:
    popularity, asked = Popularity(200), asking()
    streamers = WORLD.rooms.streamer[asked.live]
    for count, streamer in ((2, streamers[3]), (5, streamers[1])):
        for number in range(count):
            popularity.learn(Event(f"{number}", EventKind.ENTER, 0, streamer_id=f"streamer-{streamer:05d}"))
    popularity.learn(Event("seen", EventKind.IMPRESSION, 0, streamer_id=f"streamer-{streamers[0]:05d}"))
    assert streamers[popularity(asked, 2)].tolist() == [[streamers[1], streamers[3]]] * 20


def test_nobody_expects_more_watch_time_than_the_oracle() -> None:
    asked = asking()
    entered = np.stack([WORLD.enter_probability(user, asked.live, NOON_MS) for user in asked.users.tolist()])
    rooms = np.broadcast_to(asked.live, entered.shape)
    heat = WORLD.heat(asked.live, np.full(len(asked.live), NOON_MS))
    stretch = WORLD.affinity(asked.users, rooms, NOON_MS) + 0.5 * heat
    expected = entered * np.exp(WORLD.settings.calibration.watch_affinity * stretch)

    def watched(columns: np.ndarray) -> np.ndarray:
        return np.take_along_axis(expected, columns, axis=1).sum(axis=1)

    chosen = random_order(asked, 3)
    assert watched(oracle(asked, 3)) == pytest.approx(np.sort(expected, axis=1)[:, -3:].sum(axis=1))
    assert watched(oracle(asked, 3)).mean() > 1.5 * watched(chosen).mean()
    assert worth(asked, chosen) == pytest.approx(watched(chosen) / watched(oracle(asked, 3)))
    assert worth(asked, oracle(asked, 3)) == pytest.approx(np.ones(20))
