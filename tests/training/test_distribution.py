"""Several workers train one model: the weights of one with the whole batch, and what happens when one goes away."""

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.training.worker import SLATES, trained
from tests.training.worlds import ENCODINGS, toy_world
from training.data.examples import Examples
from training.distribution import ALONE, CLUSTER, DistributionError, Workers
from training.run_config import ConfigError, parse_config
from training.train import train
from training.trained import load_trained

PATIENCE_S = 120


@dataclass(frozen=True, slots=True)
class Ended:
    """How a worker's process ended."""

    status: int
    errors: str


def two_workers(out: Path, dies_at: int = 0) -> list[Ended]:
    """Both workers of a run, each a process, until they end; the second one goes away at an epoch."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(2)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "tests.training.worker", "train", f"--out={out}", f"--dies-at={epoch}"],
                    env=os.environ | {CLUSTER: description(addresses, index)},
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            for index, epoch in enumerate((0, dies_at))
        ]
        for process in processes:
            stack.callback(process.kill)
        errors = [process.communicate(timeout=PATIENCE_S)[1] for process in processes]
        return [Ended(process.returncode, error) for process, error in zip(processes, errors, strict=True)]


def description(addresses: list[str], index: int) -> str:
    return json.dumps({"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}})


@dataclass(frozen=True, slots=True)
class Runs:
    """A run of one worker, and one of two of whom one was killed, before all of them were started again."""

    alone: Path
    together: Path
    killed: list[Ended]
    resumed: list[Ended]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    folder = tmp_path_factory.mktemp("runs")
    trained(folder / "alone", ALONE)
    killed = two_workers(folder / "together", dies_at=2)
    assert not (folder / "together" / "history.json").exists()
    return Runs(folder / "alone", folder / "together", killed, two_workers(folder / "together"))


@pytest.mark.slow
def test_when_a_worker_goes_away_the_other_ends_and_says_so_in_one_line(runs: Runs):
    survivor, gone = runs.killed
    assert gone.status == -signal.SIGKILL
    assert survivor.status == 2
    assert "Traceback" not in survivor.errors
    assert survivor.errors.splitlines()[-1] == (  # Above it TensorFlow may tell of the connection.
        "train: workers: expected all 2 until the end, lost one of them; the same command for each goes on from the"
        " last epoch"
    )


@pytest.mark.slow
def test_two_workers_one_of_whom_was_killed_train_what_one_trains(runs: Runs):
    assert [ended.status for ended in runs.resumed] == [0, 0], runs.resumed
    alone, together = load_trained(runs.alone), load_trained(runs.together)
    assert [entry["epoch"] for entry in together.history] == [1, 2, 3]
    for one, two in zip(alone.history, together.history, strict=True):
        names = one.keys() - {"seconds"}
        assert {n: one[n] for n in names} == pytest.approx({n: two[n] for n in names}, rel=1e-4)
    for one, two in zip(alone.model.variables, together.model.variables, strict=True):
        assert np.allclose(one, two, atol=1e-5), one.name


@pytest.mark.slow
def test_only_the_chief_writes(runs: Runs):
    def files(folder: Path) -> set[str]:
        return {str(path.relative_to(folder)) for path in folder.rglob("*") if "tfevents" not in path.name}

    assert files(runs.together) == files(runs.alone)
    # One log of the run until the kill, and one of what came after.
    assert len(list((runs.together / "logs").iterdir())) == 2


@pytest.mark.parametrize("count", [2, 3])
def test_the_shares_of_a_batch_are_the_batch(count: int):
    samples = toy_world(SLATES, seed=1).samples
    examples, order = Examples.of(samples, samples.layout), np.random.default_rng(5).permutation(SLATES)
    whole = list(examples.batches(20, order, 7))
    shares = [list(Workers(count, index).batches(examples, 20, order, 7)) for index in range(count)]
    assert {len(each) for each in shares} == {len(whole)}
    for batch, *parts in zip(whole, *shares, strict=True):
        times = [part["time_ms"] for part in parts if part["mask"].any()]
        assert sorted(np.concatenate(times)) == sorted(batch["time_ms"])
    # 101 slates: the last batch is one slate. The other workers take it along without labels.
    assert [bool(share[-1]["mask"].any()) for share in shares] == [True] + [False] * (count - 1)
    # What is drawn in a step is drawn by its number: no two workers have the same one.
    steps = [int(batch["step"]) for share in shares for batch in share]
    assert len(set(steps)) == len(steps)


@pytest.mark.parametrize(
    ("described", "message"),
    [
        ("nonsense", "TF_CONFIG: expected {.*}, received 'nonsense'"),
        ('{"cluster": {}}', "TF_CONFIG: expected {.*}, received"),
        (
            json.dumps({"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, "task": {"type": "ps", "index": 0}}),
            r"TF_CONFIG: expected workers alone, received a ps of \['ps', 'worker'\]",
        ),
        (description(["a:1", "b:1"], 2), "TF_CONFIG: expected an index below 2, received 2"),
    ],
)
def test_a_cluster_that_cannot_train_is_refused(monkeypatch: pytest.MonkeyPatch, described: str, message: str):
    monkeypatch.setenv(CLUSTER, described)
    with pytest.raises(DistributionError, match=message):
        Workers.of_environment()


def test_a_cluster_of_one_worker_is_none(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(CLUSTER, description(["127.0.0.1:1"], 0))
    assert Workers.of_environment() == ALONE


def test_a_recall_model_is_not_trained_by_several_workers(tmp_path: Path):
    run = parse_config({"model": "two_tower", "features": {"user": ["*"], "candidate": ["*"]}, "options": {}}, "test")
    samples = toy_world(20, seed=1).samples
    with pytest.raises(ConfigError, match="model two_tower: expected a ranker for several workers"):
        train(run, samples, samples, tmp_path / "run", encodings=ENCODINGS, workers=Workers(2, 1))
