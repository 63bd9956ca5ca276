"""What `compare ranking` does with its arguments."""

import argparse
import json
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

from training.commands.progress import steps
from training.compare.ranking.census import census_data
from training.compare.ranking.compare import OnStep, compare_rankers
from training.compare.ranking.data import RankingData, sample_data
from training.compare.ranking.feature_groups import GROUPS
from training.compare.ranking.kuairand import kuairand_data
from training.compare.ranking.plots import draw_rankers
from training.compare.ranking.settings import Settings
from training.compare.ranking.tables import cost_table, difference_tables, head_tables, notes, to_json
from training.data.dataset import Dataset
from training.report import print_tables, table_console
from training.storage import stored


def add_ranking_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares what only rankers have."""
    parser.add_argument("--drop-group", action="append", default=[], choices=tuple(GROUPS), help="may be repeated")


def run_ranking(arguments: argparse.Namespace, first_seed: int) -> int:
    """Compares rankers, and prints the tables."""
    settings = Settings.load(arguments.protocol)
    with _work(arguments.work) as work, steps() as on_step:
        data = _data(arguments, Path(work), on_step)
        comparison = compare_rankers(
            data,
            settings=settings,
            rows=arguments.model or settings.present_rows(),
            seeds=range(first_seed, first_seed + arguments.seeds),
            work=Path(work) / "runs",
            drop=arguments.drop_group,
            on_step=on_step,
        )
    console = table_console()
    tables = [*head_tables(comparison), cost_table(comparison), *difference_tables(comparison)]
    print_tables(console, tables, notes(comparison))
    if arguments.plots:
        with stored(arguments.plots) as folder:
            names = [path.name for path in draw_rankers(comparison, folder)]
        for name in names:
            console.print(f"plot: {arguments.plots / name}", highlight=False)
    if arguments.json:
        arguments.json.write_text(json.dumps(to_json(comparison), indent=1) + "\n", encoding="utf-8")
    return 0


def _work(folder: Path | None) -> AbstractContextManager[str | Path]:
    return nullcontext(folder) if folder else TemporaryDirectory()


def _data(arguments: argparse.Namespace, work: Path, on_step: OnStep) -> RankingData:
    if arguments.protocol == "census":
        return census_data(arguments.data)
    if arguments.protocol == "kuairand":
        return kuairand_data(arguments.data, work, lambda what, done: on_step(f"{what}, {done:,} events"))
    return sample_data(Dataset.read(arguments.data, tuple(arguments.fractions)))
