"""Keep the samples of what a service serves up to date, hour by hour, while it runs.

The samples' folder has a folder for each hour of the slates, in UTC; whatever takes a sample set takes it too. An hour
is written ten minutes after its end, anew each hour while labels are undecided or events that matter to it come, and
for the last time --correct-hours later. Stopped or killed at any moment, the worker goes on where it was. It follows
the logs until it is ended by SIGINT or SIGTERM; with --once it writes all that they tell, the running hour too, and
ends.

Examples:
  python -m training worker --log run/service/log --served run/service/served --samples run/hours
  python -m training worker --log run/service/log --served run/service/served --samples hdfs://namenode/hours --json
  python -m training worker --log run/service/log --served run/service/served --samples run/hours --once
"""

import argparse
import json
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress

from feature_service.features.catalog import build_catalog
from feature_service.settings import load
from serving.commands.arguments import local_path
from training.commands.erasures_argument import add_erasures, erased_by
from training.commands.keep_argument import HOURS, add_keep_days, kept_hours
from training.commands.local_paths import local_paths
from training.commands.log_argument import add_log
from training.commands.progress import counters
from training.data.hours import hour_name
from training.heads import HEAD_NAMES
from training.storage import place
from training.streaming.schedule import CORRECT_HOURS
from training.streaming.worker import Revised, Worker

POLL_S = 0.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    add_log(parser)
    parser.add_argument("--served", type=local_path, required=True, help="its served log, <data>/served")
    parser.add_argument("--samples", required=True, help="URI of the samples' folder; one worker writes it")
    parser.add_argument("--settings", type=place, help="the service's settings file")
    parser.add_argument("--history", help="URI of the event log from which the service was seeded, if it was")
    parser.add_argument(
        "--correct-hours",
        type=int,
        default=CORRECT_HOURS,
        metavar="HOURS",
        help=f"how long late events correct an hour, {CORRECT_HOURS} (the default) or more",
    )
    add_keep_days(parser, HOURS)
    add_erasures(parser, "take whom it names out of hours that are over, should the log tell no more of it")
    parser.add_argument("--once", action="store_true", help="write all that the logs tell by now, and end")
    parser.add_argument("--json", action="store_true", help="print a line of JSON a revision, and no progress")


@local_paths(read=("settings",))
def run(arguments: argparse.Namespace) -> int:
    """Follows the logs."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    settings = load(arguments.settings)
    worker = Worker(
        arguments.log,
        arguments.served,
        arguments.samples,
        build_catalog(settings.service.content_width, settings.attributes),
        history=arguments.history,
        correct_hours=arguments.correct_hours,
        keep_hours=kept_hours(arguments),
        erasures=lambda: erased_by(arguments),
    )
    with counters(quiet=arguments.json) as count, suppress(KeyboardInterrupt):  # Its work is safe at any moment.
        for number, revised in enumerate(_once(worker) if arguments.once else _follow(worker), start=1):
            count("events", worker.position)
            count("revisions", number)
            _tell(revised, as_json=arguments.json)
    if worker.missed:
        sys.stderr.write(f"worker: {worker.missed} events came too late and are joined in batch only\n")
    return 0


def _once(worker: Worker) -> Iterator[Revised]:
    yield from worker.catch_up()
    yield from worker.write()


def _follow(worker: Worker) -> Iterator[Revised]:
    """Works for ever. While no event comes, time goes on as it does here, so that the last hours are written."""
    position, since_s = worker.position, time.monotonic()
    while True:
        yield from worker.catch_up()
        if worker.position != position:
            position, since_s = worker.position, time.monotonic()
        yield from worker.write(worker.now_ms + round((time.monotonic() - since_s) * 1000))
        time.sleep(POLL_S)


def _tell(revised: Revised, *, as_json: bool) -> None:
    written = revised.written
    positives = {name: number for name, number in zip(HEAD_NAMES, written.positives.tolist(), strict=True) if number}
    record = {
        "hour": hour_name(revised.hour).removeprefix("hour="),
        "revision": revised.number,
        "final": revised.final,
        "slates": written.slates,
        "impressions": written.impressions,
        "positives": positives,
        "corrections": revised.corrections,
        "late": written.late,
    }
    if as_json:
        sys.stdout.write(json.dumps(record) + "\n")
        sys.stdout.flush()
    else:
        told = ", ".join(f"{name} {number}" for name, number in positives.items())
        sys.stdout.write(
            f"{record['hour']}  revision {revised.number}  {written.slates} slates  {written.impressions} impressions"
            f"  {told or 'no positives'}  {revised.corrections} corrections\n"
        )
