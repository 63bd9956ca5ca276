"""Waits until models are available.

Example: python -m serving wait --model two_tower=3 --model mmoe --timeout 60
"""

import argparse
import asyncio
import sys

from serving.client import ModelServerClient
from serving.commands.arguments import add_target, tls_of
from serving.readiness import wait_until_available

MOST_DIGITS = 18  # what surely fits the API's int64


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's arguments."""
    add_target(parser)
    parser.add_argument(
        "--model", type=model_version, action="append", required=True, metavar="NAME[=VERSION]", help="may be repeated"
    )
    parser.add_argument("--timeout", type=float, default=60, help="seconds (default 60)")


def run(arguments: argparse.Namespace) -> int:
    """Prints each model's version when all are available."""
    versions = asyncio.run(_wait(arguments))
    for (name, _), version in zip(arguments.model, versions, strict=True):
        sys.stdout.write(f"{name} {version} AVAILABLE\n")
    return 0


def model_version(text: str) -> tuple[str, int | None]:
    """Reads `NAME` or `NAME=VERSION`.

    Raises:
        ArgumentTypeError: It is neither.
    """
    name, equals, version = text.partition("=")
    if not name or (equals and not (version.isdecimal() and len(version) <= MOST_DIGITS)):
        raise argparse.ArgumentTypeError(f"expected NAME or NAME=VERSION, received {text!r}")
    return name, int(version) if equals else None


async def _wait(arguments: argparse.Namespace) -> list[int]:
    models: list[tuple[str, int | None]] = arguments.model
    async with ModelServerClient(arguments.target, credentials=tls_of(arguments)) as client:
        waits = [wait_until_available(client, name, version, timeout_s=arguments.timeout) for name, version in models]
        return await asyncio.gather(*waits)
