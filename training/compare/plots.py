"""The plots of a comparison of recall, as PNG files."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from training.compare.orders import RANKED
from training.compare.recall import Comparison

_BAR = 0.4


def draw_comparison(comparison: Comparison, directory: Path) -> list[Path]:
    """Draws recall by k, new beside repeat, and exposure; returns the files."""
    directory.mkdir(parents=True, exist_ok=True)
    name = comparison.title.replace(" ", "-")
    plots = {
        f"recall-{name}.png": _recall_by_k(comparison),
        f"segments-{name}.png": _segments(comparison),
        f"exposure-{name}.png": _exposure(comparison),
    }
    paths = [directory / file for file in plots]
    for path, figure in zip(paths, plots.values(), strict=True):
        figure.savefig(path, dpi=120)
    return paths


def _recall_by_k(comparison: Comparison) -> Figure:
    """Recall by k of each scorer, mean over seeds."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for name, measured in comparison.rows.items():
        metrics = [metric for metric in measured[0].quality["all"] if metric.startswith("recall@")]
        ks = [int(metric.removeprefix("recall@")) for metric in metrics]
        values = [np.mean([each.quality["all"][metric] for each in measured]) for metric in metrics]
        style = "-" if name in comparison.channels or name == RANKED else ":"
        axes.plot(ks, values, style, marker="o", markersize=3, label=name)
    axes.set(xscale="log", xlabel="k", ylabel="recall@k", ylim=(0, None), title=comparison.title)
    axes.legend(fontsize="x-small", ncols=2)
    return figure


def _segments(comparison: Comparison) -> Figure:
    """NDCG@10 on streamers new to the viewer and on those entered before, a pair of bars a scorer."""
    names = list(comparison.rows)
    figure = Figure(figsize=(max(6, 0.6 * len(names)), 4), layout="constrained")
    axes = figure.add_subplot()
    for side, segment in ((-0.5, "new"), (0.5, "repeat")):
        values = [
            np.mean([each.quality.get(segment, {}).get("ndcg@10", 0.0) for each in comparison.rows[name]])
            for name in names
        ]
        axes.bar(np.arange(len(names)) + side * _BAR, values, _BAR, label=segment)
    axes.set_xticks(range(len(names)), names, rotation=35, ha="right", fontsize="small")
    axes.set(ylabel="NDCG@10", title=comparison.title)
    axes.legend(fontsize="small")
    return figure


def _exposure(comparison: Comparison) -> Figure:
    """Lorenz curves of the first places; on the diagonal every streamer is shown as often as any other."""
    figure = Figure(figsize=(5, 4.5), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
    for name, measured in comparison.rows.items():
        curve = np.mean([each.exposure.lorenz for each in measured], axis=0)
        axes.plot(np.linspace(0, 1, len(curve)), curve, linewidth=1, label=name)
    axes.set(xlabel="share of streamers, least shown first", ylabel="share of places", title=comparison.title)
    axes.legend(fontsize="x-small")
    return figure
