"""The comparison of hourly steps with one training: both arms are one model at first, and part with the first step."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.worlds import ENCODINGS, toy_world
from training.compare.incremental import DAILY, HOURLY, OLDER, HeadGauc, compare_incremental, mean_gauc
from training.data.hours import HOUR_MS
from training.data.samples import Samples
from training.run_config import ConfigError, parse_config

CONFIG = parse_config(
    {
        "model": "dnn",
        "features": {"user": ["user.id"], "candidate": ["streamer.id"]},
        "heads": {"enter": 1.0},
        "options": {"bottom": [8], "tower": [4], "match": 4},
        "training": {"batch_slates": 50, "epochs": 1},
    },
    "test",
)


def spread_over_hours() -> Samples:
    """A slate a minute for five hours."""
    samples = toy_world(300, seed=1).samples
    return replace(samples, slates=replace(samples.slates, time_ms=np.arange(300, dtype=np.int64) * 60_000))


def compared(work: Path, hours: int, *, older: bool = False, from_hour: int = 3) -> HeadGauc:
    steps: list[str] = []
    found = compare_incremental(
        spread_over_hours(),
        CONFIG,
        ENCODINGS,
        work,
        from_ms=from_hour * HOUR_MS,
        hours=hours,
        learning_rate=0.01,
        older=older,
        on_step=steps.append,
    )
    assert steps == ["trained once", *(f"hour {number + 1} of {hours}" for number in range(hours))]
    assert list(found) == ["enter"]
    return found["enter"]


def test_before_the_first_step_both_arms_are_one_model_and_then_they_part(tmp_path: Path) -> None:
    first = compared(tmp_path, hours=1)
    assert first.gain(HOURLY, DAILY) == 0
    assert first.gauc[HOURLY] == first.gauc[DAILY]
    assert np.array_equal(first.draws[HOURLY], first.draws[DAILY])
    both = compared(tmp_path, hours=2)  # The first training is not done again.
    assert not np.array_equal(both.draws[HOURLY], both.draws[DAILY])
    assert both.positives > first.positives > 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["daily", "hourly-1"]


def test_the_control_goes_on_beside_them_its_own_way(tmp_path: Path) -> None:
    found = compared(tmp_path, hours=2, older=True)
    assert list(found.gauc) == [HOURLY, OLDER, DAILY]
    assert not np.array_equal(found.draws[OLDER], found.draws[DAILY])
    assert not np.array_equal(found.draws[OLDER], found.draws[HOURLY])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["daily", "hourly-1", "older-1"]


def test_the_control_needs_a_time_before_that_is_twice_as_long(tmp_path: Path) -> None:
    """Trained until 40 min: 20 slates are left for the control, and an hour has 60."""
    with pytest.raises(ConfigError, match=r"older: expected every second slate before .* received 20"):
        compared(tmp_path, hours=2, older=True, from_hour=1)


def test_the_mean_of_seeds_is_that_of_their_draws() -> None:
    one = HeadGauc(9, {HOURLY: 0.8, DAILY: 0.7}, {HOURLY: np.array([0.8, 0.9]), DAILY: np.array([0.7, 0.6])})
    two = HeadGauc(9, {HOURLY: 0.6, DAILY: 0.7}, {HOURLY: np.array([0.6, 0.7]), DAILY: np.array([0.7, 0.6])})
    found = mean_gauc([one, two])
    assert (found.positives, round(found.gain(HOURLY, DAILY), 9)) == (9, 0)
    assert np.allclose(found.draws[HOURLY] - found.draws[DAILY], [0.0, 0.2])
