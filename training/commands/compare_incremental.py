"""What `compare incremental` does with its arguments."""

import argparse
import json
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from serving.verbs import UserError
from training.commands.progress import steps
from training.compare.incremental import DAILY, HOURLY, OLDER, STEP_RATE, HeadGauc, compare_incremental, mean_gauc
from training.compare.recall import CONFIGS
from training.data.dataset import catalog_of_set
from training.data.hours import HOUR_MS
from training.data.samples_io import read_samples
from training.evaluate import LEAST_POSITIVES
from training.layers.fitted import encodings_of
from training.report import print_tables, table_console
from training.report_tables import ReportTable
from training.run_config import load_config

DEFAULT_MODEL = "mmoe"

_NOTES = (
    "GAUC of each hour by a model that has seen none of it: gone on with hour by hour, or as trained before the first.",
    f"95 % intervals, viewers drawn with replacement; heads with fewer than {LEAST_POSITIVES} positives are left out.",
)


def add_incremental_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares what only the comparison of steps has."""
    parser.add_argument("--hours", type=int, default=24, help="incremental: last hours of the samples; default 24")
    parser.add_argument(
        "--step-rate",
        type=float,
        default=STEP_RATE,
        metavar="RATE",
        help="incremental: learning rate of a step; default %(default)s",
    )
    parser.add_argument(
        "--older",
        action="store_true",
        help="incremental: beside them one that goes on with as many older slates, kept from all at first",
    )


def run_incremental_comparison(arguments: argparse.Namespace, first_seed: int) -> int:
    """Compares, seed by seed, and prints the tables."""
    samples = read_samples(arguments.data)
    encodings = encodings_of(catalog_of_set(arguments.data).features)
    end_ms = int(samples.slates.time_ms.max()) + 1
    from_ms = end_ms - arguments.hours * HOUR_MS
    if arguments.hours < 1 or from_ms <= int(samples.slates.time_ms.min()):
        span = (end_ms - int(samples.slates.time_ms.min())) // HOUR_MS
        raise UserError(f"--hours: expected at least one, and fewer than the {span} of the samples")
    numbers: dict[str, dict[str, object]] = {}
    tables: list[ReportTable] = []
    with nullcontext(arguments.work) if arguments.work else TemporaryDirectory() as work, steps() as on_step:
        for name in arguments.model or (DEFAULT_MODEL,):
            config = load_config(CONFIGS / f"{name}.toml")
            seeds = [
                compare_incremental(
                    samples,
                    replace(config, seed=seed),
                    encodings,
                    Path(work) / f"{name}-{seed}{f'-{OLDER}' if arguments.older else ''}",
                    from_ms=from_ms,
                    hours=arguments.hours,
                    learning_rate=arguments.step_rate,
                    older=arguments.older,
                    on_step=lambda what, name=name, seed=seed: on_step(f"{name}, seed {seed}: {what}"),
                )
                for seed in range(first_seed, first_seed + arguments.seeds)
            ]
            found = {head: mean_gauc([each[head] for each in seeds]) for head in seeds[0]}
            tables.append(_table(name, arguments.seeds, found))
            numbers[name] = {head: _numbers(each) for head, each in found.items()}
    print_tables(table_console(), tables, [])
    if arguments.json:
        arguments.json.write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")
    return 0


def _gains(found: HeadGauc) -> dict[str, tuple[str, str]]:
    """What is told against what: all that steps bring, and with the control what newer and what more slates do."""
    whole = {"gain": (HOURLY, DAILY)}
    return whole | ({"of newer": (HOURLY, OLDER), "of more": (OLDER, DAILY)} if OLDER in found.gauc else {})


def _numbers(found: HeadGauc) -> dict[str, object]:
    numbers: dict[str, object] = {"positives": found.positives, "gauc": found.gauc}
    for name, arms in _gains(found).items():
        limits = found.interval(*arms)
        numbers[name] = {"gain": found.gain(*arms), "interval": asdict(limits) if limits else None}
    return numbers


def _table(model: str, seeds: int, found: Mapping[str, HeadGauc]) -> ReportTable:
    first = next(iter(found.values()))
    rows = tuple(
        (
            head,
            f"{each.positives:,}",
            *(f"{value:.4f}" for value in each.gauc.values()),
            *(_gain(each, *arms) for arms in _gains(each).values()),
        )
        for head, each in found.items()
        if each.positives >= LEAST_POSITIVES
    )
    header = ("head", "positives", *first.gauc, *_gains(first))
    return ReportTable(f"{model}, {seeds} seeds", _NOTES, header, rows, labels=1)


def _gain(found: HeadGauc, arm: str, over: str) -> str:
    limits = found.interval(arm, over)
    told = f" [{limits.low:+.4f}, {limits.high:+.4f}]" if limits else ""
    return f"{found.gain(arm, over):+.4f}{told}"
