"""Arguments that several verbs share."""

import argparse
import math
from pathlib import Path

from serving import model_list
from serving.credentials import Credentials

DEFAULT_TARGET = "127.0.0.1:8500"


def add_target(parser: argparse.ArgumentParser) -> None:
    """Adds `--target`, the model server to ask, and by what it is known."""
    parser.add_argument("--target", default=DEFAULT_TARGET, help=f"gRPC address (default {DEFAULT_TARGET})")
    add_tls(parser)


def add_tls(parser: argparse.ArgumentParser) -> None:
    """Adds the files by which servers are known, and a client is, for `tls_of`."""
    parser.add_argument("--tls-ca", type=local_path, metavar="PEM", help="call by TLS, and trust what this vouches for")
    parser.add_argument("--tls-cert", type=local_path, metavar="PEM", help="our certificate, for mutual TLS")
    parser.add_argument("--tls-key", type=local_path, metavar="PEM", help="its private key")


def tls_of(arguments: argparse.Namespace) -> Credentials:
    """What the arguments of `add_tls` name.

    Raises:
        CredentialsError: The files do not go together.
    """
    return Credentials(arguments.tls_ca, arguments.tls_cert, arguments.tls_key)


def positive(text: str) -> float:
    """Reads a finite number above 0, for `type=`.

    Raises:
        ArgumentTypeError: It is none.
    """
    number = float(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number above 0, received {text!r}")
    return number


def whole(text: str) -> int:
    """Reads a whole number above 0, for `type=`.

    Raises:
        ArgumentTypeError: It is none.
    """
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, received {text!r}")
    return int(text)


def local_path(text: str) -> Path:
    """Reads a path of this machine's, for `type=`.

    Raises:
        ArgumentTypeError: It is a URI of something else.
    """
    scheme, found, rest = text.partition("://")
    if found and scheme != "file":
        raise argparse.ArgumentTypeError(f"expected a path on this machine, received {text!r}")
    return Path(rest if found else text)


def add_config(parser: argparse.ArgumentParser) -> None:
    """Adds `--config`, the model list."""
    parser.add_argument(
        "--config",
        type=local_path,
        default=model_list.CONFIG_PATH,
        help="model list (default serving/config/models.config)",
    )
