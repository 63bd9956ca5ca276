"""Publish a SavedModel under the next version number, and wait until the model servers have it.

The version directory appears whole or not at all, with warm-up requests and a manifest in assets.extra.

Example:
  python -m training publish --saved-model run/saved/mmoe --models run/models --name mmoe --server 127.0.0.1:8500
"""

import argparse
import json
import math
import sys
from dataclasses import asdict
from pathlib import Path

from serving.commands.arguments import add_tls, tls_of
from serving.manifest import Provenance
from serving.verbs import UserError
from training.commands.erasures_argument import add_erasures, erased_by
from training.commands.local_paths import local_paths
from training.publish import KEEP, TIMEOUT_S, Published, publish
from training.revision import git_revision
from training.storage import place


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("--saved-model", type=place, required=True, help="folder of the SavedModel")
    add_target(parser)
    add_erasures(parser, "remove versions, but the newest two, that know whom it names")
    parser.add_argument("--metrics", type=place, help="JSON file of numbers by name, for the manifest")
    parser.add_argument("--catalogue", default="", help="fingerprint of the feature catalogue, for the manifest")
    parser.add_argument("--data-from-ms", type=int, default=0, help="start of the training data, for the manifest")
    parser.add_argument("--data-until-ms", type=int, default=0, help="end of the training data, for the manifest")


def add_target(parser: argparse.ArgumentParser) -> None:
    """Declares where a version goes, and who has to serve it."""
    parser.add_argument("--models", type=place, required=True, help="folder of the models' base paths")
    parser.add_argument("--name", required=True, help="served name of the model")
    parser.add_argument("--server", action="append", default=[], metavar="HOST:PORT", help="wait until it serves")
    add_tls(parser)
    parser.add_argument("--timeout", type=float, default=TIMEOUT_S, metavar="S", help="default %(default)s s")
    parser.add_argument("--keep", type=int, default=KEEP, help="versions to keep (default %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON")


@local_paths(read=("saved_model", "metrics"))
def run(arguments: argparse.Namespace) -> int:
    """Publishes."""
    metrics = read_metrics(arguments.metrics) if arguments.metrics else {}
    provenance = Provenance(
        data_from_ms=arguments.data_from_ms,
        data_until_ms=arguments.data_until_ms,
        metrics=metrics,
        catalogue_hash=arguments.catalogue,
        git_revision=git_revision(),
    )
    published = publish(
        arguments.saved_model,
        arguments.models / arguments.name,
        arguments.name,
        provenance,
        keep=arguments.keep,
        servers=arguments.server,
        timeout_s=arguments.timeout,
        erased=erased_by(arguments),
        credentials=tls_of(arguments),
    )
    return tell(published, as_json=arguments.json)


def read_metrics(path: Path) -> dict[str, float | None]:
    """The numbers of a JSON file by name; null where one is undefined.

    Raises:
        UserError: The file holds something else.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path}: expected JSON, received a file in which {error}") from None
    if not isinstance(found, dict):
        raise UserError(f"{path}: expected an object of numbers by name, received {type(found).__name__}")
    for name, value in found.items():
        if value is not None and not (type(value) in (int, float) and math.isfinite(value)):
            raise UserError(f"{path}: {name}: expected a finite number or null, received {value!r}")
    return found


def tell(published: Published, *, as_json: bool) -> int:
    """Prints what happened; the status is 1 when a server does not have the version."""
    if as_json:
        json.dump(asdict(published) | {"path": published.path}, sys.stdout, indent=1, default=str)
        sys.stdout.write("\n")
    else:
        sys.stdout.write("\n".join(published.lines()) + "\n")
    return int(not published.available)
