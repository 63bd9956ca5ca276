"""Put a service's local logs down as files of lines that a Flink job reads as they come.

Events and slates each have a folder in the target, and what is there is not put down again: a file tells by its name
which records it holds. With --erasures, what tells of users who were erased is exchanged there two hours later, as the
service does in its own logs. With --every it goes on until it is ended by SIGINT or SIGTERM.

Examples:
  python -m training land --log run/service/log --served run/service/served --to run/landing
  python -m training land --served run/service/served --to s3://bucket/landing --every 5
"""

import argparse
import sys
import time
from datetime import UTC, datetime, timedelta

from feature_service.erasures import SETTLED_MS
from serving.commands.arguments import local_path, positive
from serving.verbs import UserError
from training.commands.erasures_argument import add_erasures, erased_by
from training.commands.keep_argument import add_keep_days
from training.commands.repeating import repeat
from training.streaming.flink.erasing import LandedErasing
from training.streaming.flink.landing import EVENTS_FOLDER, SLATES_FOLDER, forget_landed, land


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("--log", type=local_path, help="the service's event log, <data>/log; none if it is in Kafka")
    parser.add_argument("--served", type=local_path, help="its served log, <data>/served")
    parser.add_argument("--to", required=True, help=f"URI of the folder of {EVENTS_FOLDER}/ and {SLATES_FOLDER}/")
    add_keep_days(
        parser, "files that were put down so long ago, for a job that does not lag so far and does not start anew"
    )
    add_erasures(parser, "exchange what tells of whom it names")
    parser.add_argument("--every", type=positive, metavar="S", help="look again so often; default: look once")


def run(arguments: argparse.Namespace) -> int:
    """Lands.

    Raises:
        UserError: No log is given.
    """
    logs = {EVENTS_FOLDER: arguments.log, SLATES_FOLDER: arguments.served}
    if not any(logs.values()):
        raise UserError("expected --log, --served or both, received neither")

    erasing = {name: LandedErasing(f"{arguments.to}/{name}", name) for name, log in logs.items() if log}

    def look() -> None:
        for name, log in logs.items():
            for first, end in land(log, f"{arguments.to}/{name}") if log else ():
                sys.stdout.write(f"{name}  {first} to {end - 1}\n")
                sys.stdout.flush()
        if arguments.keep_days is not None:
            for name in erasing:
                forget_landed(f"{arguments.to}/{name}", datetime.now(UTC) - timedelta(days=arguments.keep_days))
        erased = erased_by(arguments).since(SETTLED_MS, round(time.time() * 1000))
        for each in erasing.values():
            each.erase(erased)

    return repeat(look, arguments.every, "land")
