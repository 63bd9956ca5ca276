"""Make a bearer token: into a new file for its caller, and its hash onto standard output for the service's tokens file.

The service needs no restart, and the token is nowhere else: whoever loses it makes another.

Example:
  python -m feature_service token --name app --scope ask --scope report --token-file app.token >> tokens.toml
"""

import argparse
import os
import sys
from pathlib import Path

from feature_service.access.scopes import Scope
from feature_service.access.tokens import NAME, digest_of, new_token
from serving.commands.arguments import local_path, positive


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("--name", type=_name, required=True, help="whose it is; the audit file says so")
    parser.add_argument("--scope", choices=list(Scope), action="append", required=True, help="may be repeated")
    parser.add_argument("--rate", type=positive, help="calls a second (default: the settings' rate)")
    parser.add_argument("--token-file", type=local_path, required=True, help="a new file, which its owner alone reads")


def run(arguments: argparse.Namespace) -> int:
    """Writes the token, and prints its entry."""
    token = new_token()
    path: Path = arguments.token_file
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"{token}\n")
    scopes = ", ".join(f'"{scope}"' for scope in dict.fromkeys(arguments.scope))
    lines = ["", "[[token]]", f'name = "{arguments.name}"', f'sha256 = "{digest_of(token).hex()}"']
    lines += [f"scopes = [{scopes}]", *([f"rate = {arguments.rate!r}"] if arguments.rate else [])]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def _name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(f"expected 1 to 64 letters, digits, dots, - or _, received {text!r}")
    return text
