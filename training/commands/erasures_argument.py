"""Whom a service has erased, as an argument of verbs that keep what viewers did."""

import argparse

from training.data.erased import NOBODY, Erased
from training.storage import place


def add_erasures(parser: argparse.ArgumentParser, what: str, *, required: bool = False) -> None:
    """Declares `--erasures`.

    Args:
        parser: Of the verb.
        what: What the verb does about them.
        required: Whether it does nothing else.
    """
    parser.add_argument(
        "--erasures", type=place, required=required, metavar="FILE", help=f"the service's erasures.jsonl: {what}"
    )


def erased_by(arguments: argparse.Namespace) -> Erased:
    """Whom the file names by now; nobody where none is given.

    Raises:
        DataError: It cannot be read.
    """
    return Erased.read(arguments.erasures) if arguments.erasures else NOBODY
