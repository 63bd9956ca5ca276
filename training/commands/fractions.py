"""The fractions of the time split, as an argument of the verbs that split a sample set."""

import argparse

from training.data.split import FRACTIONS


def add_fractions(parser: argparse.ArgumentParser) -> None:
    """Declares `--fractions`."""
    parser.add_argument(
        "--fractions",
        type=float,
        nargs=3,
        default=FRACTIONS,
        metavar=("TRAINING", "VALIDATION", "TEST"),
        help=f"of the slates (default {' '.join(map(str, FRACTIONS))})",
    )
