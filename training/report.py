"""The evaluation report: JSON for machines, Markdown with plots for people, tables for a terminal."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from training.evaluate import RankingReport
from training.evaluate_recall import RecallReport
from training.report_plots import draw_calibration, draw_gauc, draw_recall
from training.report_tables import ReportTable, ranking_notes, ranking_tables, recall_notes, recall_tables

_WIDE = 200


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All that was measured in one run.

    Attributes:
        about: Facts to print on top, by name: data, time windows, seeds.
        rankings: The rankers and their baselines, on the same samples.
        recall: The recall models and their baselines; None if there was none.
    """

    about: Mapping[str, str]
    rankings: Sequence[RankingReport] = ()
    recall: RecallReport | None = None


def write_report(evaluation: Evaluation, directory: Path) -> Path:
    """Writes `report.json`, `report.md` and its plots.

    Returns:
        The path of `report.md`.
    """
    directory.mkdir(parents=True, exist_ok=True)
    machine = json.dumps(asdict(evaluation), indent=2, allow_nan=False)
    (directory / "report.json").write_text(machine + "\n", encoding="utf-8")
    path = directory / "report.md"
    path.write_text("\n".join(_markdown(evaluation, directory)) + "\n", encoding="utf-8")
    return path


def print_report(evaluation: Evaluation, console: Console) -> None:
    """Draws the tables, compact, with the notes that they need."""
    if evaluation.recall is not None:
        print_tables(console, recall_tables(evaluation.recall, compact=True), recall_notes(evaluation.recall))
    if evaluation.rankings:
        print_tables(console, ranking_tables(evaluation.rankings, compact=True), ranking_notes(evaluation.rankings))


def _markdown(evaluation: Evaluation, directory: Path) -> list[str]:
    lines = ["# Evaluation", "", *(f"- {name}: {value}" for name, value in evaluation.about.items())]
    if evaluation.recall is not None:
        lines += ["", "## Recall", *_paragraphs(recall_notes(evaluation.recall))]
        for table in recall_tables(evaluation.recall):
            lines += _markdown_table(table)
        if evaluation.recall.ks:
            draw_recall(evaluation.recall, directory / "recall.png")
            lines += ["", "![Recall by k](recall.png)"]
    if evaluation.rankings:
        lines += ["", "## Ranking", *_paragraphs(ranking_notes(evaluation.rankings))]
        for table in ranking_tables(evaluation.rankings):
            lines += _markdown_table(table)
        lines += _ranking_plots(evaluation.rankings, directory)
    return lines


def _ranking_plots(reports: Sequence[RankingReport], directory: Path) -> list[str]:
    """Draws the plots and returns the lines that show them."""
    draw_gauc(reports, directory / "gauc.png")
    lines = ["", "![GAUC by head](gauc.png)"]
    for report in reports:
        if any(head.calibration for head in report.heads.values()):
            name = f"calibration-{report.model}.png"
            draw_calibration(report, directory / name)
            lines += ["", f"![Calibration of {report.model}]({name})"]
    return lines


def _markdown_table(table: ReportTable) -> list[str]:
    rule = ["---" if place < table.labels else "---:" for place in range(len(table.header))]
    body = ["| " + " | ".join(_escaped(cell) for cell in row) + " |" for row in (table.header, rule, *table.rows)]
    return ["", f"### {table.title}", "", *body, *_paragraphs(table.notes)]


def _paragraphs(notes: Sequence[str]) -> list[str]:
    return ["", " ".join(map(_escaped, notes))] if notes else []


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|").replace("*", "\\*")


def table_console() -> Console:
    """Where tables go: as wide as the terminal, or as they need where none reads, such as a file."""
    return Console(width=None if sys.stdout.isatty() else _WIDE)


def print_tables(console: Console, tables: Sequence[ReportTable], notes: Sequence[str]) -> None:
    """Draws tables, and below them the notes of all."""
    for table in tables:
        drawn = Table(title=table.title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for place, name in enumerate(table.header):
            drawn.add_column(name, justify="left" if place < table.labels else "right", no_wrap=True)
        for row in table.rows:
            drawn.add_row(*map(Text, row))
        console.print(drawn)
        console.print(*table.notes, markup=False, highlight=False, end="\n" if table.notes else "")
    console.print(*notes, markup=False, highlight=False)
