"""The tables of a comparison of rankers, and its JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from training.compare.ranking.compare import Comparison, Row
from training.compare.ranking.cost import CANDIDATES
from training.compare.ranking.measures import HeadMeasures, Spread, difference, spread
from training.evaluate import LEAST_POSITIVES
from training.report_tables import ReportTable

_METRICS = {"auc": "AUC", "gauc": "GAUC", "log_loss": "log loss", "ece": "ECE"}
_AMOUNTS = {"mae": "MAE", "rmse": "RMSE", "xauc": "XAUC", "ece": "ECE"}
_DIFFERENCES = {"auc": "AUC", "gauc": "GAUC", "log_loss": "log loss"}
_FIRST = ("auc", "xauc")
"""The metric of a head whose interval is printed."""


def head_tables(comparison: Comparison) -> list[ReportTable]:
    """A table a head: a row a ranker that predicts it."""
    tables: list[ReportTable] = []
    for head, title in comparison.reported.items():
        rows = {name: row.seeds_of(head) for name, row in comparison.rows.items() if row.seeds_of(head)}
        if not rows:
            continue
        report = next(iter(rows.values()))[0].report
        metrics = _METRICS if "auc" in report.metrics else _AMOUNTS
        cells = tuple((name, *_head_cells(measured, metrics)) for name, measured in rows.items())
        header = ["ranker"]
        for metric, label in metrics.items():
            header += [label, f"95 % of {label}"] if metric in _FIRST else [label]
        few = () if report.comparable else (f"Fewer than {LEAST_POSITIVES} of a class: not to be compared.",)
        counts = f"{report.positives:,} of {report.impressions:,}"
        tables.append(ReportTable(f"{title} ({counts})", few, tuple(header), cells, labels=1))
    return tables


def cost_table(comparison: Comparison) -> ReportTable:
    """What each row costs; of several nets, together."""
    header = ("ranker", "parameters", "training impressions/s", f"serving µs, {CANDIDATES} candidates")
    rows = tuple((name, *_cost_cells(row)) for name, row in comparison.rows.items())
    return ReportTable("Cost", (), header, rows, labels=1)


def difference_tables(comparison: Comparison) -> list[ReportTable]:
    """The pairs, on each head that can be compared; none if there is no pair."""
    rows: list[tuple[str, ...]] = []
    for head, title in comparison.reported.items():
        for first, second in comparison.pairs:
            one, two = comparison.rows[first].seeds_of(head), comparison.rows[second].seeds_of(head)
            if one and two and one[0].report.comparable and "auc" in one[0].report.metrics:
                cells = [_difference_cell(difference(one, two, metric)) for metric in _DIFFERENCES]
                rows.append((title, f"{first} − {second}", *cells))
    if not rows:
        return []
    header = ("head", "rows", *_DIFFERENCES.values())
    note = "* The 95 % interval of the paired difference excludes zero. Of a log loss, less is better."
    return [ReportTable("Differences", (note,), header, tuple(rows), labels=2)]


def notes(comparison: Comparison) -> list[str]:
    """How the numbers came about."""
    training, validation, test = comparison.impressions
    seeds = len(next(iter(comparison.rows.values())).costs)
    fitted = f"{training:,} impressions to train on, {validation:,} to stop and calibrate by"
    return [
        f"{comparison.title}: {fitted}, {test:,} of {comparison.users:,} users to judge.",
        f"Means of {seeds} seeds, ± half their range." if seeds > 1 else "One seed.",
        "Intervals: users resampled, the same for all rows, of the mean over seeds. GAUC skips users of one class.",
        "Impressions/s are of the fastest epoch with its validation, µs are processor time: compare within the table.",
    ]


def to_json(comparison: Comparison) -> dict[str, Any]:
    """All numbers, with those of every seed."""
    return {
        "title": comparison.title,
        "impressions": dict(zip(("training", "validation", "test"), comparison.impressions, strict=True)),
        "users": comparison.users,
        "heads": dict(comparison.reported),
        "rows": {name: _row_json(row, comparison) for name, row in comparison.rows.items()},
        "differences": _differences_json(comparison),
    }


def _row_json(row: Row, comparison: Comparison) -> dict[str, Any]:
    heads: dict[str, Any] = {}
    for head in comparison.reported:
        if seeds := row.seeds_of(head):
            heads[head] = {
                "positives": seeds[0].report.positives,
                "impressions": seeds[0].report.impressions,
                "comparable": seeds[0].report.comparable,
                "seeds": [{m: e.value for m, e in each.report.metrics.items()} for each in seeds],
                "metrics": {metric: asdict(spread(seeds, metric)) for metric in seeds[0].report.metrics},
            }
    return {"heads": heads, "costs": [asdict(cost) for cost in row.costs]}


def _differences_json(comparison: Comparison) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for first, second in comparison.pairs:
        for head in comparison.reported:
            one, two = comparison.rows[first].seeds_of(head), comparison.rows[second].seeds_of(head)
            if one and two and one[0].report.comparable:
                metrics = {metric: asdict(difference(one, two, metric)) for metric in one[0].report.metrics}
                found.append({"first": first, "second": second, "head": head, "metrics": metrics})
    return found


def _head_cells(measured: Sequence[HeadMeasures], metrics: dict[str, str]) -> list[str]:
    cells: list[str] = []
    for metric in metrics:
        found = spread(measured, metric)
        cells.append(_cell(found, len(measured)))
        if metric in _FIRST:
            cells.append(f"{found.interval.low:.4f} to {found.interval.high:.4f}" if found.interval else "n/a")
    return cells


def _cell(found: Spread, seeds: int) -> str:
    if found.mean is None:
        return "n/a"
    return f"{found.mean:.4f} ±{found.half_range:.4f}" if seeds > 1 else f"{found.mean:.4f}"


def _difference_cell(found: Spread) -> str:
    if found.mean is None or found.interval is None:
        return "n/a"
    mark = "*" if found.interval.low > 0 or found.interval.high < 0 else ""
    return f"{found.mean:+.4f}{mark} [{found.interval.low:+.4f}, {found.interval.high:+.4f}]"


def _cost_cells(row: Row) -> tuple[str, ...]:
    speed = np.median([cost.impressions / cost.epoch_s for cost in row.costs])
    serving = np.median([cost.serving_us for cost in row.costs])
    return f"{row.costs[0].parameters:,}", f"{speed:,.0f}", f"{serving:,.0f}"
