"""Keep a folder of model versions like one on HDFS or in an object store, for model servers that read local files only.

TensorFlow Serving's own images, from 2.7 on, and the embedded server read local base paths: run this beside them. A
version appears as a whole, and goes when retention has removed it there. With --every it looks again and again until it
is ended by SIGINT or SIGTERM, and says on standard error when it could not.

Examples:
  python -m training mirror --source s3://bucket/models --target /srv/models
  python -m training mirror --source hdfs://namenode:9820/models --target /srv/models --model mmoe --every 10
"""

import argparse
import sys
from pathlib import Path

from serving.commands.arguments import local_path, positive
from training.commands.repeating import repeat
from training.mirror import mirror, models_in
from training.storage import Place, place


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("--source", type=place, required=True, help="folder of the base paths that are followed")
    parser.add_argument("--target", type=local_path, required=True, help="folder of the local base paths")
    parser.add_argument("--model", action="append", metavar="NAME", help="may be repeated; default all that are there")
    parser.add_argument("--every", type=positive, metavar="S", help="look again so often; default: look once")


def run(arguments: argparse.Namespace) -> int:
    """Mirrors."""
    return repeat(lambda: _look(arguments.source, arguments.target, arguments.model), arguments.every, "mirror")


def _look(source: Place, target: Path, names: list[str] | None) -> None:
    for name in names or models_in(source):
        if change := mirror(source / name, target / name):
            sys.stdout.write(f"{change}\n")
            sys.stdout.flush()
