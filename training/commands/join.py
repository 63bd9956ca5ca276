"""Turn what a feature service served, and what viewers did then, into a sample set like that of replay.

The features are those that the ranker was called with, to the bit; what was seen counts, with the labels that its
events tell. Both logs may be written to meanwhile. A service that was seeded from another log is joined with it
(--history), so that the rooms' versions count all that their streamers did.

Examples:
  python -m training join --log run/service/log --served run/service/served --samples run/served
  python -m training join --log run/service/log --served run/service/served --history run/log --samples run/served
"""

import argparse
from dataclasses import asdict

from feature_service.features.catalog import build_catalog
from feature_service.settings import load
from serving.commands.arguments import local_path
from training.commands.answer import answer
from training.commands.local_paths import local_paths
from training.commands.log_argument import add_log
from training.commands.progress import counters
from training.data.served_join import join_served
from training.heads import HEAD_NAMES
from training.storage import place


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    add_log(parser)
    parser.add_argument("--served", type=local_path, required=True, help="its served log, <data>/served")
    parser.add_argument("--samples", required=True, help="URI of a directory without samples")
    parser.add_argument("--settings", type=place, help="the service's settings file")
    parser.add_argument("--history", help="URI of the event log from which the service was seeded, if it was")
    parser.add_argument(
        "--heads", nargs="+", metavar="HEAD", help=f"of {', '.join(HEAD_NAMES)}; default all that have labels"
    )
    parser.add_argument("--delays", action="store_true", help="keep how late each label came, for train --late-labels")
    parser.add_argument("--json", action="store_true", help="print JSON, and no progress")


@local_paths(read=("settings",))
def run(arguments: argparse.Namespace) -> int:
    """Joins."""
    settings = load(arguments.settings)
    with counters(quiet=arguments.json) as count:
        about, counts = join_served(
            arguments.log,
            arguments.served,
            arguments.samples,
            build_catalog(settings.service.content_width, settings.attributes),
            heads=arguments.heads,
            history=arguments.history,
            delays=arguments.delays,
            on_progress=count,
        )
    found = {f"{name}_slates": number for name, number in asdict(counts).items() if name != "impressions"}
    record = {"samples": arguments.samples, **asdict(about), **found, "impressions": counts.impressions}
    answer(record, as_json=arguments.json)
    return 0
