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
from training.compare.incremental import ARMS, HeadGain, compare_incremental, mean_gain
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
        "--step-rate", type=float, default=5e-4, metavar="RATE", help="incremental: learning rate of a step; 5e-4"
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
                    Path(work) / f"{name}-{seed}",
                    from_ms=from_ms,
                    hours=arguments.hours,
                    learning_rate=arguments.step_rate,
                    on_step=lambda what, name=name, seed=seed: on_step(f"{name}, seed {seed}: {what}"),
                )
                for seed in range(first_seed, first_seed + arguments.seeds)
            ]
            found = {head: mean_gain([each[head] for each in seeds]) for head in seeds[0]}
            tables.append(_table(name, arguments.seeds, found))
            numbers[name] = {head: _numbers(each) for head, each in found.items()}
    print_tables(table_console(), tables, [])
    if arguments.json:
        arguments.json.write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")
    return 0


def _numbers(found: HeadGain) -> dict[str, object]:
    limits = asdict(found.interval) if found.interval else None
    return {"positives": found.positives, "gauc": found.gauc, "gain": found.gain, "interval": limits}


def _table(model: str, seeds: int, found: Mapping[str, HeadGain]) -> ReportTable:
    rows = tuple(
        (head, f"{each.positives:,}", *(f"{each.gauc[arm]:.4f}" for arm in ARMS), _gain(each))
        for head, each in found.items()
        if each.positives >= LEAST_POSITIVES
    )
    return ReportTable(f"{model}, {seeds} seeds", _NOTES, ("head", "positives", *ARMS, "gain"), rows, labels=1)


def _gain(found: HeadGain) -> str:
    limits = f" [{found.interval.low:+.4f}, {found.interval.high:+.4f}]" if found.interval else ""
    return f"{found.gain:+.4f}{limits}"
