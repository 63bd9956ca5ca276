"""Arguments that several verbs share."""

import argparse
from pathlib import Path

from serving import model_list

DEFAULT_TARGET = "127.0.0.1:8500"


def add_target(parser: argparse.ArgumentParser) -> None:
    """Adds `--target`, the model server to ask."""
    parser.add_argument("--target", default=DEFAULT_TARGET, help=f"gRPC address (default {DEFAULT_TARGET})")


def add_config(parser: argparse.ArgumentParser) -> None:
    """Adds `--config`, the model list."""
    parser.add_argument(
        "--config", type=Path, default=model_list.CONFIG_PATH, help="model list (default serving/config/models.config)"
    )
