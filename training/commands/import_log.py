"""Write the event log of a public data set, or of a platform's own tables.

Events are in order of time; about.json says what the data lacks, which heads have labels, and which attributes the
events carry. The importer `columns` takes a TOML file that maps your own tables.

Examples:
  python -m training import movielens ml-100k --log run/log
  python -m training import twitch 100k_a.csv --log run/log --sampled 9
  python -m training import columns mapping.toml --log run/log
"""

import argparse
from dataclasses import asdict

from training.commands.answer import answer
from training.commands.progress import counter
from training.data.importers import IMPORTERS, import_log
from training.storage import fetched, place


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("importer", choices=IMPORTERS, metavar="importer", help=f"one of {', '.join(IMPORTERS)}")
    parser.add_argument("source", type=place, help="the data set's file or folder; of `columns`, the TOML file")
    parser.add_argument("--log", required=True, help="URI of a directory without a log: a path, hdfs:// or s3://")
    parser.add_argument(
        "--sampled", type=int, help="rooms drawn beside each entered one, where impressions are lacking"
    )
    parser.add_argument("--seed", type=int, help="of those draws")
    parser.add_argument("--json", action="store_true", help="print JSON, and no progress")


def run(arguments: argparse.Namespace) -> int:
    """Imports."""
    options = {name: value for name in ("sampled", "seed") if (value := getattr(arguments, name)) is not None}
    given, beside = arguments.source, arguments.importer == "columns"  # The tables lie beside their TOML file.
    with (
        fetched(given.parent if beside else given) as here,
        counter(f"events of {arguments.importer}", None, quiet=arguments.json) as count,
    ):
        source = here / given.name if beside else here
        about = import_log(arguments.importer, source, arguments.log, on_count=count, **options)
    answer({"log": arguments.log, **asdict(about)}, as_json=arguments.json)
    return 0
