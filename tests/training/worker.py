"""A worker of a toy world's run, as a verb: a process of its own, which may go away in the middle."""

import argparse
import os
import signal
import sys
from pathlib import Path

from serving.verbs import Verb, run_verb
from tests.training.worlds import ENCODINGS, toy_world
from training.distribution import Workers
from training.run_config import RunConfig, parse_config
from training.train import Progress, train

# 101 slates are three batches of at most 50; the last one is a single slate, and leaves a worker without any.
SLATES, BATCH, EPOCHS = 101, 50, 3


def config() -> RunConfig:
    return parse_config(
        {
            "model": "escm2",
            "features": {"user": ["user.id"], "candidate": ["streamer.id", "room.viewers"]},
            "heads": {"enter": 1.0, "long_watch": 2.0},
            "inputs": {"embedding_l2": 0.01},
            "options": {"tower": [8], "match": 4, "counterfactual": "dr"},
            "training": {"batch_slates": BATCH, "epochs": EPOCHS, "patience": 9, "balance": "surgery"},
        },
        "test",
    )


def trained(out: Path, workers: Workers, dies_at: int = 0) -> None:
    """Trains; goes away without a word at the first batch of an epoch."""

    def show(progress: Progress) -> None:
        if (progress.epoch, progress.batch) == (dies_at, 1):
            os.kill(os.getpid(), signal.SIGKILL)

    training, validation = toy_world(SLATES, seed=1).samples, toy_world(40, seed=2).samples
    train(config(), training, validation, out, encodings=ENCODINGS, workers=workers, on_progress=show)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--dies-at", type=int, default=0)


def run(arguments: argparse.Namespace) -> int:
    trained(arguments.out, Workers.of_environment(), arguments.dies_at)
    return 0


if __name__ == "__main__":
    sys.exit(run_verb("worker", "", {"train": Verb("tests.training.worker", "")}))
