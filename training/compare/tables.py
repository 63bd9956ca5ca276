"""The tables of a comparison of recall, and its JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from training.compare.measures import SEGMENTS, SLATE, Measures
from training.compare.ncf_table import NcfResult
from training.compare.recall import Comparison
from training.report_tables import ReportTable

_TITLES = {"all": "all streamers", "new": "streamers new to the viewer", "repeat": "streamers entered before"}


def quality_tables(comparison: Comparison) -> list[ReportTable]:
    """A table a segment that has questions: a row a scorer, recall at every k, NDCG and hit rate on the slate."""
    metrics = list(next(iter(comparison.rows.values()))[0].quality["all"])
    tables: list[ReportTable] = []
    for segment in SEGMENTS:
        count = comparison.questions[segment]
        if not count:
            continue
        rows = tuple(
            (name, *(_spread([each.quality[segment][metric] for each in measured]) for metric in metrics))
            for name, measured in comparison.rows.items()
        )
        title = f"Recall among {comparison.title}: {_TITLES[segment]} ({count:,} questions)"
        tables.append(ReportTable(title, (), ("scorer", *metrics), rows, labels=1))
    return tables


def cost_table(comparison: Comparison) -> ReportTable:
    """Whom each scorer shows, and what it costs."""
    header = ("scorer", "found", "coverage", "cold share", "Gini", "train s", "query µs")
    rows = tuple((name, *_cost(measured)) for name, measured in comparison.rows.items())
    return ReportTable(f"Exposure in the first {SLATE} and cost: {comparison.title}", (), header, rows, labels=1)


def notes(comparison: Comparison) -> list[str]:
    """How the numbers came about."""
    seeds, handed, kept = len(comparison.handed), _spread(comparison.handed), _spread(comparison.kept)
    asked = f"{comparison.questions['all']:,} questions, {comparison.offered:,.1f} rooms offered on average"
    return [
        f"{asked}; each channel and the merge keep {comparison.budget} candidates.",
        f"Hand-off: recall hands over {handed} of the targets; ranking puts {kept} of these among the first {SLATE}.",
        f"Means of {seeds} seeds, ± half their range." if seeds > 1 else "One seed.",
        "A k above a tenth of the rooms offered is left out. Ties break by room key, which is a hash.",
        "train s and query µs are of this machine: compare them within the table.",
    ]


def to_json(comparison: Comparison) -> dict[str, Any]:
    """All numbers, with those of every seed."""
    return {
        "title": comparison.title,
        "questions": dict(comparison.questions),
        "offered": comparison.offered,
        "budget": comparison.budget,
        "channels": list(comparison.channels),
        "handed": list(comparison.handed),
        "kept": list(comparison.kept),
        "rows": {name: [_measures(each) for each in measured] for name, measured in comparison.rows.items()},
    }


def ncf_report(results: Mapping[str, NcfResult]) -> ReportTable:
    """The figures of the NCF protocol, a row a model."""
    metrics = {
        "HR@10": "hit_rate",
        "NDCG@10": "ndcg",
        "HR@10, all items": "full_hit_rate",
        "NDCG@10, all items": "full_ndcg",
    }
    rows = tuple(
        (name, *(_spread(getattr(each, field).tolist()) for field in metrics.values()), f"{each.train_s.mean():,.1f}")
        for name, each in results.items()
    )
    return ReportTable("The last rating among 99 negatives", (), ("model", *metrics, "train s"), rows, labels=1)


def ncf_json(results: Mapping[str, NcfResult]) -> dict[str, Any]:
    """All numbers of the NCF protocol, those of every seed."""
    fields = ("hit_rate", "ndcg", "full_hit_rate", "full_ndcg", "train_s")
    return {
        name: {"seeds": list(each.seeds)} | {field: getattr(each, field).tolist() for field in fields}
        for name, each in results.items()
    }


def _measures(measured: Measures) -> dict[str, Any]:
    exposure = measured.exposure
    return {
        "quality": {segment: dict(metrics) for segment, metrics in measured.quality.items()},
        "found": measured.found,
        "coverage": exposure.coverage,
        "cold_share": exposure.cold_share,
        "gini": exposure.gini,
        "train_s": measured.train_s,
        "query_us": measured.query_us,
    }


def _cost(measured: Sequence[Measures]) -> tuple[str, ...]:
    shares = [[each.exposure.coverage, each.exposure.cold_share, each.exposure.gini] for each in measured]
    found, train_s, query_us = (
        np.mean([getattr(each, name) for each in measured]) for name in ("found", "train_s", "query_us")
    )
    return (
        f"{found:,.0f}",
        *(_spread(values) for values in zip(*shares, strict=True)),
        f"{train_s:,.1f}",
        f"{query_us:,.0f}",
    )


def _spread(values: Sequence[float]) -> str:
    """The mean and, of several, half their range."""
    mean = f"{np.mean(values):.3f}"
    return f"{mean} ±{(max(values) - min(values)) / 2:.3f}" if len(values) > 1 else mean
