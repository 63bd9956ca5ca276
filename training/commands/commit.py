"""Make samples of what a Flink job has put down: each hour's newest revision, as soon as all shards have spoken of it.

The job's output names its columns and settings, so the folders are all that is needed. An hour is written as a new
revision beside the one before, whole or not at all; what is there is left as it is, so that this may be run at any
time, by one process at a time. What no revision needs any more is removed from the job's output. With --every it goes
on until it is ended by SIGINT or SIGTERM.

Examples:
  python -m training commit --parts run/flink --samples run/hours
  python -m training commit --parts s3://bucket/flink --samples hdfs://namenode:9820/hours --every 30
  python -m training commit --parts run/flink --samples run/hours --erasures run/service/erasures.jsonl --every 30
"""

import argparse
import json
import sys

from serving.commands.arguments import positive
from training.commands.erasures_argument import add_erasures, erased_by
from training.commands.keep_argument import HOURS, add_keep_days, kept_hours
from training.commands.repeating import repeat
from training.data.hours import hour_name
from training.streaming.flink.committing import Committer
from training.streaming.flink.erasing import JobErasing


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("--parts", required=True, help="URI of the job's output, its --out")
    parser.add_argument("--samples", required=True, help="URI of the samples' folder")
    add_keep_days(parser, HOURS)
    add_erasures(parser, "take whom it names out of hours that are written for the last time, and of the job's records")
    parser.add_argument("--every", type=positive, metavar="S", help="look again so often; default: look once")
    parser.add_argument("--json", action="store_true", help="print a line of JSON a revision")


def run(arguments: argparse.Namespace) -> int:
    """Commits."""
    committer = Committer(arguments.parts, arguments.samples, keep_hours=kept_hours(arguments))
    erasing = JobErasing(arguments.parts, arguments.samples)

    def look() -> None:
        for each in committer.commit():
            told = {
                "hour": hour_name(each.hour).removeprefix("hour="),
                "revision": each.revision,
                "slates": each.slates,
                "impressions": each.impressions,
            }
            line = json.dumps(told) if arguments.json else "  ".join(f"{name} {value}" for name, value in told.items())
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
        committer.forget()
        erasing.erase(erased_by(arguments), committer.final)

    return repeat(look, arguments.every, "commit")
