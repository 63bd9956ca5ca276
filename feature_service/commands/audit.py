"""Show who looked at what is known of users, or changed how the service answers: JSON lines, oldest first.

Example:
  python -m feature_service audit --data run/service --user user-00012
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from feature_service.access.audit import AUDIT_FILE, user_key
from serving.commands.arguments import local_path
from serving.verbs import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("--data", type=local_path, required=True, help="the service's folder")
    parser.add_argument("--user", help="only calls that show this user")


def run(arguments: argparse.Namespace) -> int:
    """Prints the lines."""
    data: Path = arguments.data
    lines = [line for path in data.rglob(AUDIT_FILE) for line in _lines(path)]  # Each worker has its own.
    for line in sorted(lines, key=lambda line: line["time"]):
        if arguments.user is None or line.get("user") == user_key(arguments.user):
            sys.stdout.write(f"{json.dumps(line)}\n")
    return 0


def _lines(path: Path) -> Iterator[dict[str, str]]:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            yield json.loads(line)
        except ValueError:
            raise UserError(
                f"{path}: line {number}: expected JSON; was the machine lost while it was written?"
            ) from None
