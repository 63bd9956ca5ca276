r"""Evaluate trained models on the test part of a sample set, beside popularity and random.

Recall ranks all rooms live at that moment (their number is printed; k at most a tenth of it), new and repeat streamers
apart. Rankers get AUC, GAUC, log loss and calibration error per head with bootstrap intervals. Writes report.json and
report.md with plots. The test part must lie after all that a run was trained with: give it the fractions of that run.

Example:
  python -m training evaluate --samples run/samples --run run/training/two_tower --run run/training/mmoe \
    --out run/report
"""

import argparse
import json
import sys
from dataclasses import asdict

from serving.verbs import UserError
from training.assess import assess
from training.commands.fractions import add_fractions
from training.commands.local_paths import local_paths
from training.data.dataset import Dataset
from training.report import print_report, table_console, write_report
from training.run import evaluation
from training.storage import place, stored
from training.trained import load_trained


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("--samples", required=True, help="URI of the sample set")
    parser.add_argument(
        "--run",
        action="append",
        type=place,
        required=True,
        help="folder of a run, which is named after it; may be repeated",
    )
    parser.add_argument("--out", type=place, required=True, help="folder of the report")
    add_fractions(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


@local_paths(read=("run",))
def run(arguments: argparse.Namespace) -> int:
    """Evaluates."""
    runs = {directory.resolve().name: directory for directory in arguments.run}
    if len(runs) < len(arguments.run):
        names = ", ".join(directory.resolve().name for directory in arguments.run)
        raise UserError(f"--run: expected folders of different names, received {names}")
    dataset = Dataset.read(arguments.samples, tuple(arguments.fractions))
    found = evaluation(dataset, [assess(load_trained(runs[name]), dataset, name) for name in runs])
    with stored(arguments.out) as folder:
        report = write_report(found, folder).name
    if arguments.json:
        json.dump(asdict(found), sys.stdout, indent=1)
        sys.stdout.write("\n")
    else:
        print_report(found, table_console())
        sys.stdout.write(f"report: {arguments.out / report}\n")
    return 0
