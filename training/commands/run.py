r"""Train, evaluate, gate, export and publish models of a sample set, in one go.

Every model is judged on the test part beside popularity and random, and compared with the version that serves today:
one that is worse beyond the tolerance, answers with numbers that are not finite, or reads features that the catalogue
lacks is not published, and the exit status is 1. A training that was interrupted goes on from its last checkpoint; of
several models, name those that are not finished yet with --model. With --since, models solved from visits (item_cf,
mf) and rankers that learn by gradient alone go on from an earlier run: the samples need to hold just what came after
it, and users and streamers that are new get rows of their own.

With --incremental, such models go on with whatever is new in the samples since the last step, as the hourly sets of
`worker` grow: each label is learnt once, when its window is over. A step is judged on the newest slates, which it has
not learnt yet; a feature that is stuck, or has drifted more than --most-drift, forbids it. --every takes a step again
and again.

Examples:
  python -m training run --samples run/samples --work run/training --models run/models
  python -m training run --samples run/samples --work run/daily --models /models --model mmoe --server 127.0.0.1:8500
  python -m training run --samples day-2/samples --work day-2/run --models /models --model item_cf --since day-1/run
  python -m training run --incremental --samples hours --work steps --models /models --model mmoe --since day-1/run \
    --every 60
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from serving.commands.arguments import add_tls, tls_of
from serving.verbs import UserError
from training.commands.erasures_argument import add_erasures, erased_by
from training.commands.fractions import add_fractions
from training.commands.local_paths import local_paths
from training.commands.progress import epochs
from training.commands.run_incremental import add_incremental_arguments, run_incremental
from training.continuation import can_go_on
from training.data.dataset import Dataset
from training.report import print_report, table_console, write_report
from training.run import ModelRun, Places, evaluation, run_model
from training.run_config import load_config
from training.storage import Place, place, stored

CONFIGS = Path(__file__).resolve().parent.parent / "configs"
MODELS = ("two_tower", "item_cf", "mf", "neumf", "esmm", "mmoe")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("--samples", required=True, help="URI of the sample set")
    parser.add_argument("--work", type=place, required=True, help="folder of the training runs and the report")
    parser.add_argument("--models", type=place, required=True, help="folder of the models' base paths")
    parser.add_argument("--model", action="append", metavar="NAME", help=f"may be repeated; default {' '.join(MODELS)}")
    parser.add_argument("--config", action="append", type=place, metavar="FILE", help="a configuration of your own")
    add_fractions(parser)
    parser.add_argument(
        "--since", type=place, metavar="WORK", help="--work of an earlier run, for models to go on that can"
    )
    add_incremental_arguments(parser)
    add_erasures(parser, "learn nothing of whom it names, and remove versions but the newest two that know them")
    parser.add_argument("--server", action="append", default=[], metavar="HOST:PORT", help="wait until it serves")
    add_tls(parser)
    parser.add_argument("--json", action="store_true", help="print JSON, and no progress")


@local_paths(read=("config",))
def run(arguments: argparse.Namespace) -> int:
    """Runs the models one after the other."""
    names = arguments.model or ([] if arguments.config else MODELS)
    configs = [load_config(path) for path in [*(CONFIGS / f"{name}.toml" for name in names), *(arguments.config or [])]]
    if arguments.incremental:
        return run_incremental(arguments, configs)
    if arguments.every is not None:
        raise UserError("--every: expected --incremental beside it")
    dataset = Dataset.read(arguments.samples, tuple(arguments.fractions), erased=erased_by(arguments))
    places = Places(arguments.work, arguments.models, arguments.server, tls_of(arguments))
    runs: list[ModelRun] = []
    for config in configs:
        with epochs(config.model, quiet=arguments.json) as progress:
            since = arguments.since / config.model if arguments.since and can_go_on(config) else None
            runs.append(run_model(config, dataset, places, progress, since))
    found = evaluation(dataset, [each.assessment for each in runs])
    with stored(arguments.work / "report") as folder:
        report = write_report(found, folder).name
    if arguments.json:
        json.dump([_summary(each) for each in runs], sys.stdout, indent=1)
        sys.stdout.write("\n")
    else:
        print_report(found, table_console())
        _print(runs, arguments.work / "report" / report)
    return int(
        not all(each.decision.accepted and (each.published is None or each.published.available) for each in runs)
    )


def _print(runs: Sequence[ModelRun], report: Place) -> None:
    for each in runs:
        verdict = "accepted" if each.decision.accepted else "refused"
        lines = [f"gate: {each.assessment.name} {verdict}", *each.decision.reasons, *each.decision.notes]
        lines += each.published.lines() if each.published else []
        sys.stdout.write("\n  ".join(lines) + "\n")
    sys.stdout.write(f"report: {report}\n")


def _summary(each: ModelRun) -> dict[str, object]:
    return {
        "model": each.assessment.name,
        "accepted": each.decision.accepted,
        "reasons": each.decision.reasons,
        "notes": each.decision.notes,
        "version": each.published.manifest.version if each.published else None,
        "measures": {name: asdict(measure) for name, measure in each.assessment.measures.items()},
    }
