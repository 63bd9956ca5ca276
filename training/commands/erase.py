"""Take users who were erased out of sample sets that are one whole, as `replay` and `join` write them.

Samples by the hour need no verb of their own: `worker` and `commit` take erased users out of what they write, and
`land` out of what it puts down. A set is written anew beside, a shard at a time, and then put in its place.

Examples:
  python -m training erase --erasures run/service/erasures.jsonl --samples run/samples --samples run/served
  python -m training erase --erasures run/service/erasures.jsonl --samples s3://bucket/samples --every 3600
"""

import argparse
import sys

from serving.commands.arguments import positive
from training.commands.erasures_argument import add_erasures, erased_by
from training.commands.repeating import repeat
from training.data.sample_erasing import erase_from_set


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    add_erasures(parser, "who is to go", required=True)
    parser.add_argument("--samples", action="append", required=True, metavar="URI", help="a set; may be repeated")
    parser.add_argument("--every", type=positive, metavar="S", help="look again so often; default: look once")


def run(arguments: argparse.Namespace) -> int:
    """Erases."""

    def look() -> None:
        erased = erased_by(arguments)
        for uri in arguments.samples:
            became = "written anew" if erase_from_set(uri, erased) else "tells of nobody who was erased"
            sys.stdout.write(f"{uri}: {became}\n")
            sys.stdout.flush()

    return repeat(look, arguments.every, "erase")
