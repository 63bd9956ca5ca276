"""The plots of an evaluation report, as PNG files."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.evaluate import Estimate, HeadReport, RankingReport
from training.evaluate_recall import RecallReport

_COLUMNS = 4
_PANEL_INCHES = 2.8


def draw_recall(report: RecallReport, path: Path) -> None:
    """Recall by k of every scorer with its interval, over all cases."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot()
    for scorer, by_segment in report.metrics.items():
        estimates = [by_segment["all"][f"recall@{k}"] for k in report.ks]
        values, errors = _values(estimates)
        axes.errorbar(report.ks, values, errors, marker="o", markersize=3, capsize=2, label=scorer)
    axes.set(xlabel="k", ylabel="recall@k", ylim=(0, None))
    axes.legend(fontsize="small")
    figure.savefig(path, dpi=120)


def draw_gauc(reports: Sequence[RankingReport], path: Path) -> None:
    """GAUC by head, a bar a model; 0.5 is no order at all."""
    heads = list(dict.fromkeys(name for report in reports for name, head in report.heads.items() if _has_gauc(head)))
    figure = Figure(figsize=(max(6, 1.2 * len(heads)), 4), layout="constrained")
    axes = figure.add_subplot()
    width = 0.8 / max(len(reports), 1)
    for place, report in enumerate(reports):
        own = [name for name in heads if name in report.heads and _has_gauc(report.heads[name])]
        values, errors = _values([report.heads[name].metrics["gauc"] for name in own])
        left = [heads.index(name) + (place - (len(reports) - 1) / 2) * width for name in own]
        axes.bar(left, values, width, yerr=errors, capsize=2, label=report.model)
    axes.axhline(0.5, color="grey", linewidth=0.8)
    axes.set_xticks(range(len(heads)), heads, rotation=20)
    axes.set(ylabel="GAUC", ylim=(0, 1))
    axes.legend(fontsize="small")
    figure.savefig(path, dpi=120)


def draw_calibration(report: RankingReport, path: Path) -> None:
    """What was predicted against what happened, a panel a head; on the diagonal they agree."""
    heads = [head for head in report.heads.values() if head.calibration]
    lines = -(-len(heads) // _COLUMNS)
    size = (_PANEL_INCHES * min(len(heads), _COLUMNS), _PANEL_INCHES * lines)
    figure = Figure(figsize=size, layout="constrained")
    for place, head in enumerate(heads):
        _calibration_panel(figure.add_subplot(lines, min(len(heads), _COLUMNS), place + 1), head)
    figure.suptitle(f"{report.model}: calibration", fontsize="medium")
    figure.savefig(path, dpi=120)


def _calibration_panel(axes: Axes, head: HeadReport) -> None:
    predicted = [point.predicted for point in head.calibration]
    observed = [point.observed for point in head.calibration]
    largest = max(*predicted, *observed)
    axes.plot([0, largest], [0, largest], color="grey", linewidth=0.8)
    axes.plot(predicted, observed, marker="o", markersize=3)
    axes.set_title(head.head, fontsize="small")
    axes.set_xlabel("predicted", fontsize="small")
    axes.set_ylabel("observed", fontsize="small")
    axes.tick_params(labelsize="x-small")


def _has_gauc(head: HeadReport) -> bool:
    return "gauc" in head.metrics and head.metrics["gauc"].value is not None


def _values(estimates: Sequence[Estimate]) -> tuple[list[float], list[list[float]]]:
    """Values, and how far the interval reaches below and above each."""
    values = [estimate.value or 0.0 for estimate in estimates]
    below = [max(value - e.interval.low, 0) if e.interval else 0 for value, e in zip(values, estimates, strict=True)]
    above = [max(e.interval.high - value, 0) if e.interval else 0 for value, e in zip(values, estimates, strict=True)]
    return values, [below, above]
