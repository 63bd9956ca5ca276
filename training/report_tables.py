"""The tables of an evaluation report, as plain text cells that Markdown and a terminal both draw.

A compact table fits a terminal of 80 columns: it leaves out intervals, impressions, normalised entropy and all but
the three largest k.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from training.evaluate import LEAST_POSITIVES, Estimate, HeadReport, RankingReport
from training.evaluate_recall import SEGMENTS, RecallReport

_COLUMNS = {
    "auc": "AUC",
    "gauc": "GAUC",
    "log_loss": "log loss",
    "normalised_entropy": "NE",
    "mae": "MAE",
    "rmse": "RMSE",
    "xauc": "XAUC",
    "ece": "ECE",
}
_COMPACT_KS = 3
_AT_LARGEST = ("ndcg", "hit_rate")
_SEGMENT_TITLES = {"all": "all streamers", "new": "streamers new to the viewer", "repeat": "streamers entered before"}
_TOO_FEW = f"* fewer than {LEAST_POSITIVES} positives (or negatives): not to be compared."


@dataclass(frozen=True, slots=True)
class ReportTable:
    """A table with its caption.

    Attributes:
        title: Heading.
        notes: What a reader must know to read the numbers, a sentence each.
        header: Names of the columns; the first columns up to `labels` hold text, the others numbers.
        rows: Cells.
        labels: How many columns hold text.
    """

    title: str
    notes: tuple[str, ...]
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    labels: int


def recall_tables(report: RecallReport, *, compact: bool = False) -> list[ReportTable]:
    """One table a segment that has cases: a row a scorer; recall at every k, NDCG and hit rate at the largest."""
    ks = report.ks[-_COMPACT_KS:] if compact else report.ks
    columns = [f"recall@{k}" for k in ks] + [f"{metric}@{k}" for k in ks[-1:] for metric in _AT_LARGEST]
    tables: list[ReportTable] = []
    for name in SEGMENTS:
        segment = report.segments[name]
        if not segment.cases or not columns:
            continue
        rows = tuple(
            (scorer, *(_cell(by_segment[name][column], compact) for column in columns))
            for scorer, by_segment in report.metrics.items()
        )
        few = () if segment.comparable else (f"Fewer than {LEAST_POSITIVES} cases: not to be compared.",)
        title = f"Recall, {_SEGMENT_TITLES[name]} ({segment.cases:,} cases)"
        tables.append(ReportTable(title, few, ("scorer", *columns), rows, labels=1))
    return tables


def recall_notes(report: RecallReport) -> list[str]:
    """How the recall numbers came about."""
    rooms = f"{report.candidates_mean:,.1f} on average, {report.candidates_min:,} at least"
    notes = [
        f"{report.cases:,} of {report.cases_given:,} cases, of {report.users:,} users.",
        f"All rooms live at the case's moment are ranked: {rooms}.",
        "A case has one target, so recall@k is its hit rate; hit_rate@k counts a request with several targets once.",
        "Ties break by room key.",
    ]
    if report.ks_left_out:
        left_out = ", ".join(map(str, report.ks_left_out))
        notes.append(f"k = {left_out} left out: more than a tenth of the candidates.")
    if report.targets_added:
        notes.append(f"{report.targets_added:,} targets were not on air at that moment and were put among the rooms.")
    if report.unknown_rooms:
        notes.append(f"{report.unknown_rooms:,} cases left out: their room is unknown.")
    return notes


def ranking_tables(reports: Sequence[RankingReport], *, compact: bool = False) -> list[ReportTable]:
    """One table of probabilities, one of amounts; a row a head and model."""
    tables: list[ReportTable] = []
    for title, marker in (("Ranking: probabilities", "auc"), ("Ranking: amounts", "mae")):
        heads = _ordered([name for report in reports for name, head in report.heads.items() if marker in head.metrics])
        found = [(report, report.heads[name]) for name in heads for report in reports if name in report.heads]
        if not found:
            continue
        metrics = [metric for metric in _COLUMNS if any(metric in head.metrics for _, head in found)]
        if compact:
            metrics = [metric for metric in metrics if metric != "normalised_entropy"]
        rows = tuple(_ranking_row(report.model, head, metrics, compact) for report, head in found)
        counts = ("positives",) if compact else ("impressions", "positives")
        header = ("head", "model", *counts, *(_COLUMNS[metric] for metric in metrics))
        notes = () if all(head.comparable for _, head in found) else (_TOO_FEW,)
        tables.append(ReportTable(title, notes, header, rows, labels=2))
    return tables


def ranking_notes(reports: Sequence[RankingReport]) -> list[str]:
    """What the ranking numbers speak of."""
    notes: list[str] = []
    for report in reports[:1]:
        notes.append(
            f"{report.impressions:,} impressions of {report.users:,} users. GAUC weighs users by impressions and skips"
            " those with one class only. Intervals: 95 %, users resampled."
        )
        if report.sampled:
            notes.append(
                f"{report.sampled:,} impressions were not seen but drawn among the rooms live then: AUC, log loss and"
                " calibration speak of that drawing."
            )
    return notes + [
        f"{report.model}, {name}: {head.non_finite:,} predictions are not finite."
        for report in reports
        for name, head in report.heads.items()
        if head.non_finite
    ]


def _ranking_row(model: str, head: HeadReport, metrics: Sequence[str], compact: bool) -> tuple[str, ...]:
    mark = "" if head.comparable else " *"
    counts = (head.positives,) if compact else (head.impressions, head.positives)
    cells = (_cell(head.metrics.get(metric, Estimate(None)), compact) for metric in metrics)
    return head.head + mark, model, *(f"{count:,}" for count in counts), *cells


def _cell(estimate: Estimate, compact: bool) -> str:
    if estimate.value is None:
        return "n/a"
    if compact:
        return f"{estimate.value:.3f}"
    if estimate.interval is None:
        return f"{estimate.value:.4f}"
    return f"{estimate.value:.4f} [{estimate.interval.low:.4f}, {estimate.interval.high:.4f}]"


def _ordered(names: Sequence[str]) -> list[str]:
    """Without repeats, in order of appearance."""
    return list(dict.fromkeys(names))
