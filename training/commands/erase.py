r"""Take users who were erased out of whole sample sets and event logs, and remove the training runs that know them.

A set, as `replay` and `join` write it, is written anew beside, a shard at a time, and then put in its place. In a log
in Parquet what they did stays, as nobody's: rooms remember it, and no sample is made of it. Nobody can go on from a run
that is removed; train it anew. All else needs no verb of its own: `worker`, `commit` and `land` take erased users out
of what they write, `run --incremental` out of its steps, and with each new version `run` and `publish` remove those,
but the newest two, that know them.

Examples:
  python -m training erase --erasures run/service/erasures.jsonl --samples run/samples --samples run/served
  python -m training erase --erasures run/service/erasures.jsonl --samples s3://bucket/samples --runs run/daily \
    --every 3600
"""

import argparse
import sys

from serving.commands.arguments import positive
from serving.verbs import UserError
from training.commands.erasures_argument import add_erasures, erased_by
from training.commands.repeating import repeat
from training.data.log_erasing import erase_from_log
from training.data.sample_erasing import erase_from_set
from training.held_keys import remove_runs
from training.storage import place


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    add_erasures(parser, "who is to go", required=True)
    parser.add_argument("--samples", action="append", default=[], metavar="URI", help="a set; may be repeated")
    parser.add_argument("--log", action="append", default=[], metavar="URI", help="in Parquet; may be repeated")
    parser.add_argument(
        "--runs", type=place, action="append", default=[], metavar="FOLDER", help="of runs; may be repeated"
    )
    parser.add_argument("--every", type=positive, metavar="S", help="look again so often; default: look once")


def run(arguments: argparse.Namespace) -> int:
    """Erases.

    Raises:
        UserError: It has nothing to look at.
    """
    if not (arguments.samples or arguments.log or arguments.runs):
        raise UserError("expected some of --samples, --log and --runs, received none")

    def look() -> None:
        erased = erased_by(arguments)
        for uri in arguments.samples:
            became = "written anew" if erase_from_set(uri, erased) else "tells of nobody who was erased"
            sys.stdout.write(f"{uri}: {became}\n")
        for uri in arguments.log:
            sys.stdout.write(f"{uri}: {erase_from_log(uri, erased)} files written anew\n")
        for folder in arguments.runs:
            sys.stdout.writelines(f"{run}: removed\n" for run in remove_runs(folder, erased.keys))
        sys.stdout.flush()

    return repeat(look, arguments.every, "erase")
