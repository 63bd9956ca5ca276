"""Roll a model back: its old content is published again under a higher number, since versions only move up.

Examples:
  python -m training rollback --models run/models --name mmoe --server 127.0.0.1:8500
  python -m training rollback --models run/models --name mmoe --to 3
"""

import argparse

from serving.commands.arguments import tls_of
from training.commands.publish import add_target, tell
from training.publish import rollback


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    add_target(parser)
    parser.add_argument("--to", type=int, metavar="VERSION", help="default: what the latest version replaced")


def run(arguments: argparse.Namespace) -> int:
    """Rolls back."""
    published = rollback(
        arguments.models / arguments.name,
        arguments.name,
        arguments.to,
        keep=arguments.keep,
        servers=arguments.server,
        timeout_s=arguments.timeout,
        credentials=tls_of(arguments),
    )
    return tell(published, as_json=arguments.json)
