"""Cold start in simulated worlds: simulate, replay, train the two-tower with and without contents, rank, and tell."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from training.callable_model import CallableModel
from training.compare.cold_start import KS, PER, RIVALS, ColdRanks, ColdStart, Share, baselines, cold_ranks, summarise
from training.data.dataset import Dataset
from training.data.sample_set import build_samples
from training.data.simulation.settings import SimulationSettings
from training.data.simulator import simulate_log
from training.layers.fitted import encodings_of
from training.recall_baselines import Scorer
from training.recall_scorers import recall_scorer
from training.report_tables import ReportTable
from training.run_config import RunConfig
from training.train import train
from training.trained import HISTORY_FILE, TrainedModel, load_trained

CONTENTS = ("room.title", "room.content")
"""What a room shows and what the simulator turns into noise in a world without content effects."""


def cold_start(
    worlds: Iterable[SimulationSettings], config: RunConfig, work: Path, say: Callable[[str], None]
) -> ColdStart:
    """Compares in every world, and joins them.

    Args:
        worlds: Their settings; the model gets the world's seed.
        config: The two-tower's run.
        work: Gets a folder a world; what an earlier call has finished there is taken as it is.
        say: Is told what is being done.
    """
    return summarise([_ranks(world, config, work / f"seed-{world.seed}", say) for world in worlds])


def variants(config: RunConfig) -> dict[str, RunConfig]:
    """The model as it is, and one that cannot see what a room shows."""
    blind = (*config.features.candidate, *(f"!{name}" for name in CONTENTS))
    return {
        "two_tower": config,
        "two_tower without contents": replace(config, features=replace(config.features, candidate=blind)),
    }


def _ranks(world: SimulationSettings, config: RunConfig, directory: Path, say: Callable[[str], None]) -> ColdRanks:
    log, samples = directory / "log", directory / "samples"
    if not (log / "about.json").exists():
        say(f"seed {world.seed}: simulate")
        simulate_log(world, log)
    if not (samples / "about.json").exists():
        say(f"seed {world.seed}: replay")
        build_samples(log, samples)
    dataset = Dataset.read(samples)
    scorers: dict[str, Scorer] = {}
    for name, run in variants(replace(config, seed=world.seed)).items():
        say(f"seed {world.seed}: {name}")
        scorers[name] = _scorer(_trained(run, dataset, directory / name.replace(" ", "_")), dataset)
    return cold_ranks(dataset, scorers | baselines(dataset, world.seed))


def _trained(config: RunConfig, dataset: Dataset, directory: Path) -> TrainedModel:
    if (directory / HISTORY_FILE).exists():
        return load_trained(directory)
    encodings, split = encodings_of(dataset.catalog.features), dataset.split
    return train(config, split.training, split.validation, directory, encodings=encodings, rooms=dataset.rooms)


def _scorer(trained: TrainedModel, dataset: Dataset) -> Scorer:
    test = dataset.split.test
    return recall_scorer(CallableModel.of(trained.model), test.slates, dataset.rooms, test.layout)


def cold_start_tables(found: ColdStart) -> list[ReportTable]:
    """A table by rivals and by what is averaged: recall of each scorer, and how far the two-tower is ahead of it."""
    return [_table(found, rivals, per) for rivals in RIVALS for per in PER]


def _table(found: ColdStart, rivals: str, per: str) -> ReportTable:
    gain = found.gain[rivals][per]
    rows = tuple(
        (scorer, _cell(share), _cell(gain[scorer]) if scorer in gain else "", _worlds(gain.get(scorer, share)))
        for scorer, share in found.recall[rivals][per].items()
    )
    return ReportTable(
        f"Rooms of streamers whom nobody had entered, among {rivals} on air ({found.rivals[rivals]:.0f} on average): "
        f"mean of a {per}",
        (),
        ("scorer", f"recall@{KS[rivals]}", "two_tower is ahead by", "in each world"),
        rows,
        labels=1,
    )


def _cell(share: Share) -> str:
    if share.interval is None:
        return f"{share.value:.3f}"
    return f"{share.value:.3f} [{share.interval.low:.3f}, {share.interval.high:.3f}]"


def _worlds(share: Share) -> str:
    return " ".join(f"{value:.3f}" for value in share.by_world)
