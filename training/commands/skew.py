"""Compare what a feature service sent to its ranker with a replay of its log, feature by feature; none may differ.

Each served slate's features are computed anew, from the events before its log position, with its clock and context.
Ends with 1 if a single value differs. Beside it, how far each feature drifted between two windows: the population
stability index of numbers, and the share of ids that the first window does not have.

Examples:
  python -m training skew --log run/service/log --served run/service/served
  python -m training skew --log run/service/log --served run/service/served --history run/log --json skew.json
  python -m training skew --log run/service/log --served run/service/served --windows 2026-11-01/2026-11-02 \
2026-11-08/2026-11-09
"""

import argparse
import json
from dataclasses import asdict
from datetime import UTC, datetime

from feature_service.features.catalog import build_catalog
from feature_service.features.layout import Layout
from feature_service.served.slate import ServedSlate
from feature_service.settings import load
from serving.commands.arguments import local_path
from serving.verbs import UserError
from training.commands.local_paths import local_paths
from training.commands.log_argument import add_log
from training.commands.progress import counter
from training.data.service_log import first_position, newest_served
from training.drift import Drift, KeptSlates, Window, measure_drift
from training.report import print_tables, table_console
from training.report_tables import ReportTable
from training.skew import Skew, measure_skew
from training.storage import place


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    add_log(parser)
    parser.add_argument("--served", type=local_path, required=True, help="its served log, <data>/served")
    parser.add_argument("--settings", type=place, help="the service's settings file")
    parser.add_argument("--history", help="URI of the event log from which the service was seeded, if it was")
    parser.add_argument(
        "--windows",
        nargs=2,
        metavar="FROM/TO",
        help="of the drift, ISO 8601 times in UTC; default the first and the second half",
    )
    parser.add_argument("--json", type=place, metavar="FILE", help="write all numbers there")


@local_paths(read=("settings",), write=("json",))
def run(arguments: argparse.Namespace) -> int:
    """Compares; 1 if anything differs."""
    settings = load(arguments.settings)
    given = [_window(text) for text in arguments.windows or ()]
    kept = [KeptSlates(window) for window in given] or [KeptSlates()]
    ahead = newest_served(arguments.served).log_position - first_position(arguments.log)

    def keep(slate: ServedSlate, layout: Layout) -> None:
        for each in kept:
            each.offer(slate, layout)

    with counter("events", max(ahead, 1)) as count:
        skew = measure_skew(
            arguments.log,
            arguments.served,
            build_catalog(settings.service.content_width, settings.attributes),
            arguments.history,
            on_slate=keep,
            on_progress=count,
        )
    drift = measure_drift((given[0], given[1]) if given else kept[0].halves(), kept)
    for text, slates in zip(arguments.windows or (), drift.slates, strict=False):
        if not slates:
            raise UserError(f"--windows: expected a window with served slates, found none in {text}")
    print_tables(table_console(), [_drift_table(drift), _skew_table(skew)], [_summary(skew)])
    if arguments.json:
        found = {**asdict(skew), "differing": skew.differing, "drift": asdict(drift)}
        arguments.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 1 if skew.differing else 0


def _window(text: str) -> Window:
    try:
        start_ms, stop_ms = (round(_time(part).timestamp() * 1000) for part in text.split("/"))
    except ValueError:
        raise UserError(f"--windows: expected FROM/TO in ISO 8601, received {text!r}") from None
    if start_ms >= stop_ms:
        raise UserError(f"--windows: expected FROM before TO, received {text!r}")
    return Window(start_ms, stop_ms)


def _time(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _skew_table(skew: Skew) -> ReportTable:
    features = sorted(skew.features.values(), key=lambda each: (-each.differing, each.spec))
    rows = tuple(
        (each.spec, f"{each.values:,}", f"{each.differing:,}", f"{each.greatest:g}", each.example) for each in features
    )
    header = ("feature", "values", "differ", "greatest difference", "example")
    return ReportTable("Skew: served beside replayed", (), header, rows, labels=1)


def _drift_table(drift: Drift) -> ReportTable:
    spoken = [f"{_spoken(each)} ({slates} slates)" for each, slates in zip(drift.windows, drift.slates, strict=True)]
    rows = tuple((each.spec, each.measure, f"{each.drift:.4f}") for each in drift.features)
    notes = (
        f"From {spoken[0]} to {spoken[1]}.",
        "psi: population stability index over the first window's deciles; unseen: share of ids that are new to it.",
    )
    return ReportTable("Drift between two windows", notes, ("feature", "measure", "drift"), rows, labels=2)


def _spoken(window: Window) -> str:
    return "/".join(datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="seconds") for time_ms in window)


def _summary(skew: Skew) -> str:
    values = sum(each.values for each in skew.features.values())
    skipped = "; ".join(f"{count} slates skipped, {why}" for why, count in sorted(skew.skipped.items()))
    shown = f"{skew.impressions:,} served impressions in {skew.slates:,} slates"
    return f"{shown}: {values:,} values compared, {skew.differing:,} differ. {skipped}".strip()
