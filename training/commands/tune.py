r"""Search the weights of the fusion for an objective, on logged requests, by an off-policy estimate.

Takes the ranker of a run, predicts all rooms that were on air at each logged request, and asks what the rooms that
other weights would have put first would have earned: a doubly robust estimate over the first places, for which the log
must tell with what probability each room was shown. Searches on the validation part and judges on the test part, with a
95 % interval (viewers drawn anew) and the effective number of requests. The run must not have seen the test part.

Example:
  python -m training tune fusion --samples run/samples --run run/training/mmoe \
    --objective watch_time=1 --objective gift_value=2
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from feature_service import settings as service_settings
from serving.verbs import UserError
from training.commands.fractions import add_fractions
from training.commands.local_paths import local_paths
from training.commands.progress import counter, steps
from training.data.dataset import Dataset
from training.heads import HEAD_NAMES
from training.models.ranking import Ranker
from training.report import print_tables, table_console
from training.report_tables import ReportTable
from training.storage import place
from training.trained import load_trained
from training.tuning.fusion import STEPS, Part, Tuned, tune
from training.tuning.off_policy import OffPolicy
from training.tuning.requests import Objective, logged_requests

LEAST_EFFECTIVE = 100
"""With fewer effective requests the estimate leans on a few lucky ones."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("what", choices=["fusion"], help="what to tune")
    parser.add_argument("--samples", required=True, help="URI of the sample set")
    parser.add_argument("--run", type=place, required=True, help="folder of a ranker's run")
    parser.add_argument(
        "--objective",
        action="append",
        required=True,
        metavar="HEAD=WORTH",
        help="what an outcome is worth: watch_time by the second, gift_value by the coin; may be repeated",
    )
    parser.add_argument("--settings", type=place, help="settings of the service; default its defaults")
    parser.add_argument("--scene", default="", help="whose weights to start from (default: the default scene)")
    parser.add_argument("--trials", type=int, default=150, help="candidates a round, of two (default %(default)s)")
    parser.add_argument("--requests", type=int, default=4_000, help="logged requests of a part (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="same seed, same candidates (default %(default)s)")
    add_fractions(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


@local_paths(read=("run", "settings"))
def run(arguments: argparse.Namespace) -> int:
    """Tunes, and prints the weights."""
    for name in ("trials", "requests"):
        if getattr(arguments, name) < 1:
            raise UserError(f"--{name}: expected a number above 0, received {getattr(arguments, name)}")
    objective = parse_objective(arguments.objective)
    current = service_settings.load(arguments.settings).scene(arguments.scene).fusion
    dataset = Dataset.read(arguments.samples, tuple(arguments.fractions))
    trained = load_trained(arguments.run)
    model = trained.model
    if not isinstance(model, Ranker):
        raise UserError(f"--run: expected the run of a ranker, received one of {trained.config.model}")
    heads = model.layout.heads
    with steps() as say:
        parts: list[Part] = []
        for name, samples in (("validation", dataset.split.validation), ("test", dataset.split.test)):
            say(f"rooms on air at the requests of the {name} part")
            parts.append(Part(*logged_requests(model, dataset, samples, objective, arguments.requests)))
    with counter("weights tried", arguments.trials * len(STEPS), quiet=arguments.json) as count:
        found = tune(heads, current, *parts, trials=arguments.trials, seed=arguments.seed, on_trial=count)
    if arguments.json:
        json.dump(asdict(found) | {"better": found.better}, sys.stdout, indent=1)
        sys.stdout.write("\n")
    else:
        print_tables(table_console(), _tables(found), [_verdict(found)])
    return 0


def parse_objective(terms: Sequence[str]) -> Objective:
    """`HEAD=WORTH` terms as an objective.

    Raises:
        UserError: A term is none, or its head unknown.
    """
    objective: dict[str, float] = {}
    for term in terms:
        head, _, worth = term.partition("=")
        try:
            objective[head] = float(worth)
        except ValueError:
            raise UserError(f"--objective: expected HEAD=WORTH, as watch_time=1, received {term!r}") from None
        if head not in HEAD_NAMES:
            raise UserError(f"--objective: expected a head among {', '.join(HEAD_NAMES)}, received {head!r}")
    return objective


def _tables(found: Tuned) -> list[ReportTable]:
    rows = tuple((head, f"{weight:g}", f"{found.best[head]:g}") for head, weight in found.current.items())
    weights = ReportTable("Weights of the fusion", (), ("head", "serves", "found"), rows, labels=1)
    estimates = (("serves", found.serves), ("found", found.found), ("gain", found.gain))
    rows = tuple((name, _cell(each), f"{each.effective_size:,.0f}") for name, each in estimates)
    header = ("weights", "objective a request", "effective requests")
    return [weights, ReportTable("On requests that the search has not seen", (), header, rows, labels=1)]


def _cell(found: OffPolicy) -> str:
    if found.interval is None:
        return f"{found.value:.3f}"
    return f"{found.value:.3f} [{found.interval.low:.3f}, {found.interval.high:.3f}]"


def _verdict(found: Tuned) -> str:
    if min(found.serves.effective_size, found.found.effective_size) < LEAST_EFFECTIVE:
        return f"Fewer than {LEAST_EFFECTIVE} effective requests: the log says too little of these weights."
    if found.better:
        return "The weights found are better: the interval of the gain lies above 0."
    return "The weights found are not better beyond doubt: keep those that serve."
