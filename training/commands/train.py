r"""Train one model of a sample set: TensorBoard logs, checkpoints, early stopping on the validation part.

An interrupted run of the same configuration and samples goes on from its last checkpoint.

With TF_CONFIG in the environment, as tf.distribute reads it, a ranker is trained by several workers: start the command
once a worker, with the same arguments and a folder that all see. When one is lost all end; the same commands go on.

With --since a run goes on from an earlier one, so the samples need to hold just what came after it: item-based CF and
matrix factorisation, which are solved from visits, and rankers that learn by gradient alone.

Examples:
  python -m training train --samples run/samples --config training/configs/mmoe.toml --out run/training/mmoe
  python -m training train --samples day-2/samples --config training/configs/item_cf.toml --out day-2/item_cf \
    --since day-1/item_cf
"""

import argparse
import json
import sys

from serving.verbs import UserError
from training.commands.fractions import add_fractions
from training.commands.local_paths import local_paths
from training.commands.progress import epochs
from training.data.dataset import Dataset
from training.distribution import Workers
from training.layers.fitted import encodings_of
from training.models import MODELS
from training.models.ranking.gbdt_lr import GbdtLr
from training.run_config import load_config
from training.run_folder import run_folder
from training.storage import Remote, place
from training.train import train


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("--samples", required=True, help="URI of the sample set")
    parser.add_argument("--config", type=place, required=True, help="the run's configuration, TOML")
    parser.add_argument("--out", type=place, required=True, help="the run's folder")
    parser.add_argument("--since", type=place, metavar="RUN", help="folder of an earlier run to go on from")
    parser.add_argument(
        "--late-labels", action="store_true", help="train on samples whose windows are not over too, corrected"
    )
    add_fractions(parser)
    parser.add_argument("--json", action="store_true", help="print the history as JSON, and no progress")


@local_paths(read=("config", "since"))
def run(arguments: argparse.Namespace) -> int:
    """Trains."""
    config = load_config(arguments.config)
    if arguments.late_labels and issubclass(MODELS[config.model], GbdtLr):  # Trees are grown on labels of 0 and 1.
        raise UserError(f"--late-labels: expected a model that learns by gradient alone, received {config.model}")
    workers = Workers.of_environment()
    if workers.count > 1 and isinstance(arguments.out, Remote):
        raise UserError(f"--out: expected a local folder that all workers see, received {arguments.out}")
    dataset = Dataset.read(arguments.samples, tuple(arguments.fractions), late_labels=arguments.late_labels)
    with (
        epochs(config.model, quiet=arguments.json) as progress,
        run_folder(arguments.out, progress) as (folder, told),
    ):
        trained = train(
            config,
            dataset.split.training,
            dataset.split.validation,
            folder,
            encodings=encodings_of(dataset.catalog.features),
            visits=dataset.enters,
            since=arguments.since,
            rooms=dataset.rooms,
            on_progress=told,
            workers=workers,
        )
    if arguments.json:
        json.dump(trained.history, sys.stdout, indent=1)
        sys.stdout.write("\n")
        return 0
    for epoch in trained.history:
        sys.stdout.write(f"{_line(epoch)}\n")
    return 0


def _line(epoch: dict[str, float]) -> str:
    if "loss" in epoch:
        return f"epoch {epoch['epoch']:.0f}: loss {epoch['loss']:.4f}, validation {epoch['validation_loss']:.4f}"
    sizes = ", ".join(f"{epoch[name]:,.0f} {name}" for name in ("visits", "viewers", "streamers"))
    return f"solved in {epoch['seconds']:.1f} s from {sizes}"
