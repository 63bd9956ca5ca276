"""How long something is kept, as an argument of verbs that write it for ever."""

import argparse

from serving.commands.arguments import positive

HOURS = "hours that have been over for so long, by the log's time and whether they were read or not"


def add_keep_days(parser: argparse.ArgumentParser, what: str) -> None:
    """Declares `--keep-days`, None if it is not given.

    Args:
        parser: Of the verb.
        what: What is removed when it is older.
    """
    parser.add_argument("--keep-days", type=positive, metavar="DAYS", help=f"remove {what}; default: keep all")


def kept_hours(arguments: argparse.Namespace) -> int | None:
    """So many hours are kept; None = all."""
    return None if arguments.keep_days is None else max(1, round(24 * arguments.keep_days))
