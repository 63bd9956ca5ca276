"""Export a trained model as a SavedModel, and compare what it answers with the model in memory on real rows.

The SavedModel holds no custom op and runs in a stock TensorFlow Serving. Its signature `layout` says which feature
stands in which column of its few packed tensors.

Example:
  python -m training export --run run/training/mmoe --samples run/samples --out run/saved/mmoe
"""

import argparse
import json
import sys

from training.commands.local_paths import local_paths
from training.data.dataset import Dataset
from training.run import export_model
from training.storage import place, stored
from training.trained import load_trained


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("--run", type=place, required=True, help="folder of the training run")
    parser.add_argument("--samples", required=True, help="URI of a sample set, for the comparison")
    parser.add_argument("--out", type=place, required=True, help="the SavedModel's folder; must not exist")
    parser.add_argument("--json", action="store_true", help="print JSON")


@local_paths(read=("run",))
def run(arguments: argparse.Namespace) -> int:
    """Exports."""
    dataset = Dataset.read(arguments.samples)
    with stored(arguments.out) as out:
        difference = export_model(load_trained(arguments.run), out, dataset)
    if arguments.json:
        json.dump({"path": str(arguments.out), "largest_difference": difference}, sys.stdout)
        sys.stdout.write("\n")
    else:
        sys.stdout.write(f"{arguments.out}: largest difference between served and trained outputs {difference:.2g}\n")
    return 0
