"""The plots of a comparison of rankers, as PNG files."""

from pathlib import Path

from matplotlib.figure import Figure

from training.compare.ranking.compare import Comparison
from training.compare.ranking.measures import Spread, difference, spread

_WIDTH = 8.0
_INCHES_A_ROW = 0.28


def draw_rankers(comparison: Comparison, directory: Path) -> list[Path]:
    """Draws AUC by head and, where there are pairs, their differences; returns the files."""
    directory.mkdir(parents=True, exist_ok=True)
    name = "".join(letter if letter.isalnum() else "-" for letter in comparison.title)
    figures = {f"auc-{name}.png": _auc(comparison), f"differences-{name}.png": _differences(comparison)}
    drawn = {directory / file: figure for file, figure in figures.items() if figure is not None}
    for path, figure in drawn.items():
        figure.savefig(path, dpi=120)
    return list(drawn)


def _auc(comparison: Comparison) -> Figure | None:
    """A panel a head, a line a row: the mean over seeds and its interval."""
    panels: dict[str, dict[str, Spread]] = {}
    for head, title in comparison.reported.items():
        found = {name: spread(row.seeds_of(head), "auc") for name, row in comparison.rows.items() if row.seeds_of(head)}
        panels[title] = {name: each for name, each in found.items() if each.mean is not None}
    return _panels(panels, "AUC")


def _differences(comparison: Comparison) -> Figure | None:
    """A panel a head, a line a pair; where the line crosses zero, the rows are not told apart."""
    panels: dict[str, dict[str, Spread]] = {}
    for head, title in comparison.reported.items():
        panel = panels.setdefault(title, {})
        for first, second in comparison.pairs:
            one, two = comparison.rows[first].seeds_of(head), comparison.rows[second].seeds_of(head)
            if one and two and one[0].report.comparable:
                panel[f"{first} − {second}"] = difference(one, two, "auc")
    return _panels(panels, "difference of AUC", zero=True)


def _panels(panels: dict[str, dict[str, Spread]], label: str, *, zero: bool = False) -> Figure | None:
    shown = {title: panel for title, panel in panels.items() if any(each.mean is not None for each in panel.values())}
    if not shown:
        return None
    heights = [len(panel) + 3 for panel in shown.values()]
    figure = Figure(figsize=(_WIDTH, _INCHES_A_ROW * sum(heights)), layout="constrained")
    every = figure.subplots(len(shown), 1, squeeze=False, gridspec_kw={"height_ratios": heights})
    for axes, (title, panel) in zip(every[:, 0], shown.items(), strict=True):
        for place, (name, found) in enumerate(reversed(panel.items())):
            if found.mean is None:
                continue
            if found.interval:
                axes.plot([found.interval.low, found.interval.high], [place, place], color="grey")
            axes.plot(found.mean, place, "o", markersize=4, label=name)
        axes.set_yticks(range(len(panel)), list(reversed(panel)), fontsize="small")
        axes.set_title(title, fontsize="small")
        if zero:
            axes.axvline(0, color="black", linewidth=0.8)
    every[-1, 0].set_xlabel(label)
    return figure
