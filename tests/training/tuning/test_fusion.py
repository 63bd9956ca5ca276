"""The search for fusion weights."""

import numpy as np
import pytest

from training.tuning.fusion import Part, tune
from training.tuning.off_policy import Logged

HEADS = ("enter", "gift")
CURRENT = {"enter": 1.0, "gift": 1.0, "share": 2.0}


def part(seed: int, *, worth: float) -> Part:
    """Requests of five rooms; a room earns `worth` · its gift prediction − (1 − worth) · its enter prediction."""
    rng = np.random.default_rng(seed)
    predictions = rng.random((4_000 * 5, 2)).astype(np.float32)
    earns = worth * predictions[:, 1] - (1 - worth) * predictions[:, 0]
    first = np.arange(4_000) * 5
    shown = first + rng.integers(0, 5, 4_000)
    reward = earns[shown] + rng.normal(0, 0.1, 4_000)
    logged = Logged(np.arange(4_000) % 300, first, shown, np.full(4_000, 0.2), reward, np.zeros(20_000))
    return Part(logged, predictions)


def test_it_finds_what_earns_and_says_so() -> None:
    found = tune(HEADS, CURRENT, part(1, worth=0.9), part(2, worth=0.9), trials=40, seed=1)
    assert found.best["gift"] / found.best["enter"] > 4
    assert found.better
    assert found.gain.value > 0.05
    assert found.found.value - found.serves.value == pytest.approx(found.gain.value)


def test_a_head_that_the_ranker_lacks_keeps_its_weight() -> None:
    assert tune(HEADS, CURRENT, part(1, worth=0.9), part(2, worth=0.9), trials=5, seed=1).best["share"] == 2.0


def test_where_nothing_is_to_be_gained_it_does_not_claim_to() -> None:
    rng = np.random.default_rng(7)
    blind = []
    for seed in (3, 4):
        each = part(seed, worth=0.5)
        logged = Logged(
            each.logged.user, each.logged.first, each.logged.shown, each.logged.propensity,
            rng.normal(size=4_000), np.zeros(20_000),
        )  # fmt: skip
        blind.append(Part(logged, each.predictions))
    assert not tune(HEADS, CURRENT, *blind, trials=30, seed=1).better


def test_the_same_seed_finds_the_same() -> None:
    first, again = (tune(HEADS, CURRENT, part(1, worth=0.9), part(2, worth=0.9), trials=10, seed=3) for _ in range(2))
    assert first == again
