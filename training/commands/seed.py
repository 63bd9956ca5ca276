"""Write the data folder of a feature service from an event log.

The service then starts with the records, facts and live rooms of that history; `serve --as-of log` also sets its clock
to the log's end.

Example:
  python -m training seed --log run/log --samples run/samples --data run/service
"""

import argparse
import json
import sys

from feature_service.settings import load
from serving.commands.arguments import local_path
from serving.verbs import UserError
from training.commands.local_paths import local_paths
from training.commands.progress import counter
from training.data.dataset import catalog_of_set
from training.data.samples_io import read_sample_about
from training.seed import seed
from training.storage import place


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("--log", required=True, help="URI of the event log")
    parser.add_argument("--samples", required=True, help="sample set of that log; its settings say the catalogue")
    parser.add_argument("--data", type=local_path, required=True, help="the folder; must hold no service data yet")
    parser.add_argument("--settings", type=place, help="settings file of the service, for a store that lies elsewhere")
    parser.add_argument("--json", action="store_true", help="print JSON, and no progress")


@local_paths(read=("settings",))
def run(arguments: argparse.Namespace) -> int:
    """Seeds the folder."""
    settings = load(arguments.settings)
    if settings.log.address:
        raise UserError("--settings: expected a log in the folder, received log.address: topics have no history before")
    about, catalog = read_sample_about(arguments.samples), catalog_of_set(arguments.samples)
    with counter("events", about.events, quiet=arguments.json) as count:
        seeded = seed(arguments.log, about.last_ms, arguments.data, catalog, count, settings.store)
    if arguments.json:
        json.dump({"position": seeded.position, "tail": seeded.tail}, sys.stdout)
        sys.stdout.write("\n")
    else:
        sys.stdout.write(f"{arguments.data}: {seeded.position} events in the store, {seeded.tail} in the log\n")
    return 0
