"""The benchmark of training: what its arrays, its turns and its interval are, and that our own trainer takes turns."""

import math
from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks.training.__main__ import TASKS, main
from tests.benchmarks.training.arrays import Task, read, write
from tests.benchmarks.training.turns import Trainer, TrainerError, interpreter, interval, lines, peers_of

TOY_DIN = Task(
    model="din",
    sparse=2,
    length=5,
    real=(1, 3),
    layers=(4,),
    attention=(4,),
    vocabulary=20,
    embedding=4,
    batch=8,
    batches=2,
    blocks=2,
)


def test_arrays_come_back_as_they_were_drawn_and_the_same_seed_draws_them_again(tmp_path: Path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, TOY_DIN, seed=3)
    (same, one), (_, two) = read(tmp_path / "one"), read(tmp_path / "two")
    assert same == TOY_DIN
    assert all(np.array_equal(one[name], two[name]) for name in one)
    real = (one["steps"] > 0).sum(axis=1)
    assert (real.min(), real.max()) == (1, 3)
    assert len(real) == 8 * (2 * 2 + 1)  # Two blocks of two batches, and a batch before them.


def test_the_interval_holds_the_median_in_nineteen_of_twenty():
    # Nine values: the median lies outside the 2nd to the 8th with 2 · (1 + 9)/2⁹ = 3.9 %, outside the 3rd to the 7th
    # with 2 · (1 + 9 + 36)/2⁹ = 18 %. Five values cannot tell: 2/2⁵ = 6.3 %.
    assert interval([9, 8, 7, 6, 5, 4, 3, 2, 1]) == (2, 8)
    assert interval([1, 2, 3, 4, 5]) == (1, 5)


def test_librecommender_is_asked_for_no_mmoe():
    assert "librecommender" in peers_of(TASKS["din"])
    assert "librecommender" not in peers_of(TASKS["mmoe"])


def test_a_peer_without_its_environment_is_named_with_what_makes_it(tmp_path: Path):
    with pytest.raises(
        TrainerError, match=r"deepctr: expected its environment's .*, received none; `make bench-train`"
    ):
        interpreter("deepctr", tmp_path)


def test_a_loss_is_called_a_loss():
    row = {"peer": "deepctr", "ratio": 0.8, "ratio_low": 0.7, "ratio_high": 0.9, "verdict": "behind"}
    numbers = dict.fromkeys(("rows_per_s", "least_rows_per_s", "most_rows_per_s"), 5.0)
    both = numbers | {f"ours_{name}": 4.0 for name in numbers}
    assert "behind" in lines({"mmoe": [row | both]})[1]


def test_an_unknown_task_is_named(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit, match="2"):
        main(["mmo"])
    assert "task: expected one of deepfm, mmoe, din, din_half, received 'mmo'" in capsys.readouterr().err


@pytest.mark.slow
def test_our_trainer_trains_block_after_block_over_the_end_of_an_epoch(tmp_path: Path):
    write(tmp_path, TOY_DIN, seed=1)
    with Trainer("ours", tmp_path, tmp_path) as trainer:
        taken_s = [trainer.block_s() for _ in range(3)]  # The third is the first of the second epoch.
    assert all(math.isfinite(each) and each > 0 for each in taken_s)
