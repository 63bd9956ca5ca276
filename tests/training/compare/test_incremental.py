"""The comparison of hourly steps with one training: both arms are one model at first, and part with the first step."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.training.worlds import ENCODINGS, toy_world
from training.compare.incremental import ARMS, HeadGain, compare_incremental, mean_gain
from training.data.hours import HOUR_MS
from training.data.samples import Samples
from training.run_config import parse_config

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


def compared(work: Path, hours: int) -> HeadGain:
    steps: list[str] = []
    found = compare_incremental(
        spread_over_hours(),
        CONFIG,
        ENCODINGS,
        work,
        from_ms=3 * HOUR_MS,
        hours=hours,
        learning_rate=0.01,
        on_step=steps.append,
    )
    assert steps == ["trained once", *(f"hour {number + 1} of {hours}" for number in range(hours))]
    assert list(found) == ["enter"]
    return found["enter"]


def test_before_the_first_step_both_arms_are_one_model_and_then_they_part(tmp_path: Path) -> None:
    first = compared(tmp_path, hours=1)
    assert first.gain == 0
    assert not first.draws.any()
    both = compared(tmp_path, hours=2)  # The first training is not done again.
    assert both.draws.any()
    assert both.positives > first.positives > 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["daily", "hour-1"]


def test_the_mean_of_seeds_is_that_of_their_draws() -> None:
    one = HeadGain(9, dict(zip(ARMS, (0.8, 0.7), strict=True)), np.array([0.1, 0.3]))
    two = HeadGain(9, dict(zip(ARMS, (0.6, 0.7), strict=True)), np.array([-0.1, 0.1]))
    found = mean_gain([one, two])
    assert (found.positives, round(found.gain, 9)) == (9, 0)
    assert np.allclose(found.draws, [0.0, 0.2])
