"""Make the store again from the log, or fill in what a new feature asks the records to remember.

The service must not run on the folder. Without --since the whole log is applied to a new store, which then takes the
old one's place. With --since POSITION the events from there on are counted beside the store, and fields that are zero
in its records, such as a new feature's counter, are taken over.

Examples:
  python -m feature_service rebuild --data run/service
  python -m feature_service rebuild --data run/service --since 0
"""

import argparse
import json
import sys

from rich.console import Console

from feature_service.features.catalog import build_catalog
from feature_service.log.opening import LOG_FOLDER
from feature_service.rebuild import backfill, rebuild
from feature_service.settings import load
from serving.commands.arguments import local_path
from serving.verbs import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("--data", type=local_path, required=True, help="folder of the event log and the store")
    parser.add_argument(
        "--settings", type=local_path, help="settings file, for log, store and a platform's own attributes"
    )
    parser.add_argument("--since", type=int, metavar="POSITION", help="only fill in what the records lack, from there")
    parser.add_argument("--json", action="store_true", help="print JSON, and no progress")


def run(arguments: argparse.Namespace) -> int:
    """Rebuilds."""
    settings = load(arguments.settings)
    if not settings.log.address and not (arguments.data / LOG_FOLDER).is_dir():
        raise UserError(f"--data: expected a folder with an event log, received {arguments.data}")
    catalog = build_catalog(settings.service.content_width, settings.attributes)
    console = Console(stderr=True, quiet=arguments.json)
    with console.status("reading the log") as status:

        def show(events: int) -> None:
            status.update(f"reading the log: {events:,} events")

        if arguments.since is None:
            answer = {"position": rebuild(arguments.data, settings, catalog, show)}
        else:
            answer = {"changed": backfill(arguments.data, settings, catalog, arguments.since, show)}
    if arguments.json:
        json.dump(answer, sys.stdout)
        sys.stdout.write("\n")
    else:
        what, count = next(iter(answer.items()))
        sys.stdout.write(
            f"{arguments.data}: {'position ' + str(count) if what == 'position' else f'{count} records filled'}\n"
        )
    return 0
