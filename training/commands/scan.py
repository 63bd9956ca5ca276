r"""Look for a user, by id and by key, in all that a service and its training keep.

Give it every folder, of data, samples, runs, models and Flink's, as a path or URI; with --settings it looks into the
Redis and the Kafka topic that they name as well. Logs, Parquet, NumPy's arrays, SQLite and packed values are looked
into as what they are, other files as bytes; those that nobody can look into are named. The key that a service keeps
among its erasures, so that the user stays out, is told apart. The exit status is 1 if the user is found.

It is a verb of training because only training reads Parquet, HDFS and object stores.

Examples:
  python -m training scan --user user-00116 run/service run/samples run/training run/models
  python -m training scan --user user-00116 --settings redis.toml run/service run/replica s3://bucket/hours --json
"""

import argparse
import json
import sys
from dataclasses import asdict

from feature_service.settings import load
from serving.verbs import UserError
from training.commands.local_paths import local_paths
from training.scan.marks import Marks
from training.scan.places import Scan, scan_files
from training.scan.services import scan_services
from training.storage import place


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("--user", required=True, metavar="ID", help="the platform's id of the user")
    parser.add_argument("--settings", type=place, help="the service's settings file, for its Redis and its topic")
    parser.add_argument("places", nargs="*", metavar="PLACE", help="a file or a folder, a path or a URI")
    parser.add_argument("--json", action="store_true", help="print JSON")


@local_paths(read=("settings",))
def run(arguments: argparse.Namespace) -> int:
    """Scans.

    Raises:
        UserError: There is nothing to look for, or nothing to look into.
    """
    if not arguments.user:
        raise UserError("--user: expected an id, received an empty one")
    if not arguments.places and not arguments.settings:
        raise UserError("expected places to look into, --settings or both, received neither")
    marks, scan = Marks(arguments.user), Scan.new()
    for uri in arguments.places:
        scan_files(marks, uri, scan)
    if arguments.settings:
        scan_services(marks, load(arguments.settings), scan)
    if arguments.json:
        json.dump(asdict(scan), sys.stdout, indent=1)
        sys.stdout.write("\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in _lines(scan))
    return int(bool(scan.found))


def _lines(scan: Scan) -> list[str]:
    told = [f"found  {each.place}: the {each.what}" for each in scan.found]
    told += [f"kept  {each.place}: the key alone, which stays" for each in scan.kept]
    told += [f"not looked into  {each.place}: {each.what}" for each in scan.closed]
    return [*told, f"{scan.looked_into} files and values looked into: found in {len(scan.found)}"]
