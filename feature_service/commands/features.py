"""Print the feature catalogue: every feature with its version, group, dtype, width, unit, encoding and meaning."""

import argparse
import json
import sys
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table

from feature_service.features.catalog import build_catalog
from feature_service.features.schema import Feature
from feature_service.settings import load
from serving.commands.arguments import local_path


@dataclass(frozen=True, slots=True)
class Row:
    """One feature as it is printed."""

    feature: str
    group: str
    tensor: str
    dtype: str
    width: int
    length: int
    unit: str
    encoding: str
    doc: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("--settings", type=local_path, help="settings file, for a platform's own attributes")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """Prints the catalogue."""
    settings = load(arguments.settings)
    catalog = build_catalog(settings.service.content_width, settings.attributes)
    rows = [_row(feature) for feature in catalog.features]
    if arguments.json:
        json.dump([asdict(row) for row in rows], sys.stdout, indent=1)
        sys.stdout.write("\n")
        return 0
    table = Table(title=f"{len(rows)} features, fingerprint {catalog.fingerprint}")
    for column in ("feature", "tensor", "dtype", "width", "unit", "encoding", "doc"):
        table.add_column(column, overflow="fold")
    for row in rows:
        width = f"{row.length} × {row.width}" if row.length else str(row.width)
        table.add_row(row.feature, row.tensor, row.dtype, width, row.unit, row.encoding, row.doc)
    Console().print(table)
    return 0


def _row(feature: Feature) -> Row:
    return Row(
        feature=f"{feature.name}@{feature.version}",
        group=feature.group,
        tensor=feature.tensor,
        dtype=feature.dtype,
        width=feature.width,
        length=feature.length,
        unit=feature.unit,
        encoding=str(feature.encoding),
        doc=feature.doc,
    )
