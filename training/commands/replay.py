"""Turn an event log into a sample set: a row an impression, its features as of the request, its labels joined.

The features come from the service's own state and catalogue. Beside the Parquet shards the directory holds layout.json,
about.json, and a settings.toml with which a feature service declares the same attributes.

Examples:
  python -m training replay --log run/log --samples run/samples
  python -m training replay --log run/log --samples small --features 'user.*' 'room.*' '!room.*.decayed' --heads enter
"""

import argparse
from dataclasses import asdict

from feature_service.settings import load
from training.commands.answer import answer
from training.commands.local_paths import local_paths
from training.commands.progress import counter
from training.data.about import read_about
from training.data.sample_set import ALL_FEATURES, build_samples
from training.heads import HEAD_NAMES
from training.storage import place


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("--log", required=True, help="URI of the event log")
    parser.add_argument("--samples", required=True, help="URI of a directory without samples")
    parser.add_argument(
        "--features",
        nargs="+",
        default=ALL_FEATURES,
        metavar="PATTERN",
        help="names with shell wildcards, a leading ! leaves out; default all (see python -m feature_service features)",
    )
    parser.add_argument(
        "--heads", nargs="+", metavar="HEAD", help=f"of {', '.join(HEAD_NAMES)}; default all that have labels"
    )
    parser.add_argument("--delays", action="store_true", help="keep how late each label came, for train --late-labels")
    parser.add_argument("--settings", type=place, help="settings file of the service, for attributes declared there")
    parser.add_argument("--json", action="store_true", help="print JSON, and no progress")


@local_paths(read=("settings",))
def run(arguments: argparse.Namespace) -> int:
    """Replays."""
    settings = load(arguments.settings) if arguments.settings else None
    about = read_about(arguments.log)
    with counter("events", about.events if about else None, quiet=arguments.json) as count:
        written = build_samples(
            arguments.log,
            arguments.samples,
            features=arguments.features,
            heads=arguments.heads,
            settings=settings,
            delays=arguments.delays,
            on_progress=lambda counts: count(counts.events),
        )
    answer({"samples": arguments.samples, **asdict(written)}, as_json=arguments.json)
    return 0
