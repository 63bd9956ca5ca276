"""The comparison of recall: every channel alone, all of them merged and ranked, and peers, on the same questions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from training.callable_model import CallableModel
from training.compare.found import Found, ask
from training.compare.measures import Measures, hand_off, measure
from training.compare.orders import MERGED, RANKED, Order, orders
from training.compare.peers import AMONG_ALL, AMONG_LIVE, Visits, peer_scorer, rules
from training.compare.protocol import Protocol
from training.compare.service_channels import ask_channels, memory_channels
from training.data.dataset import Dataset
from training.data.samples import Samples
from training.layers.fitted import encodings_of
from training.models.recall import RECALL
from training.recall_baselines import RandomOrder, Scorer
from training.recall_scorers import recall_scorer
from training.run_config import load_config
from training.train import train
from training.trained import HISTORY_FILE, TrainedModel, load_trained

CONFIGS = Path(__file__).resolve().parent.parent / "configs"

RULES = {"watched": "memory rule", "hot": "recent popularity"}
"""Where streamers off air are offered too, which the service's channels never find: rules in place of channels."""

TOWER = "two_tower"

OnStep = Callable[[str], None]
"""Takes what is being done."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was measured.

    Attributes:
        title: Of the protocol.
        questions: Questions by segment.
        offered: Rooms that a question offers, on average.
        budget: Candidates that the merge may keep, and so each channel on its own.
        rows: Measures of each scorer, one a seed; of what has no chance in it, one.
        channels: Names of the rows that are channels.
        handed: Share of the targets among the merged, one a seed.
        kept: Of these, the share that the ranker puts among the first ten, one a seed.
    """

    title: str
    questions: Mapping[str, int]
    offered: float
    budget: int
    rows: Mapping[str, Sequence[Measures]]
    channels: Sequence[str]
    handed: Sequence[float]
    kept: Sequence[float]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What one scorer finds for both parts, what its training cost, and of a model the scorer of the test part."""

    validation: Found
    test: Found
    train_s: float = 0.0
    scorer: Scorer | None = None


def compare(
    protocol: Protocol,
    *,
    work: Path,
    budget: int,
    seeds: Sequence[int],
    models: Sequence[str] = tuple(RECALL),
    on_step: OnStep = lambda _: None,
) -> Comparison:
    """Trains and measures everything once a seed.

    Args:
        protocol: The data and the questions.
        work: Folder of the training runs; a run that is finished there is taken as it is.
        budget: Candidates of the merge, and of each channel.
        seeds: Of every training.
        models: Names in `RECALL`.
        on_step: Is called before each step.

    Raises:
        ConfigError: The data lack what a model needs.
        TrainedError: The folder holds runs of other data.
    """
    known = _known(protocol.dataset)
    rows: dict[str, list[Measures]] = {}

    def add(name: str, found: Found, train_s: float = 0.0) -> None:
        measured = measure(found, protocol.test, protocol.dataset.rooms, known, train_s=train_s)
        rows.setdefault(name, []).append(measured)

    fixed = _rules(protocol, budget, on_step)
    service = _service(protocol, budget, on_step) if protocol.by_room else {}
    others = service or {channel: fixed[rule] for channel, rule in RULES.items()}
    shares: list[tuple[float, float]] = []
    for seed in seeds:
        trained = {name: _model(name, protocol, work, budget, seed, on_step) for name in models}
        on_step(f"ranker, seed {seed}")
        together = _together(protocol, trained, others, budget=budget, seed=seed)
        shares.append(hand_off(together[MERGED].found, together[RANKED].found, protocol.test))
        for name, asked in trained.items():
            add(name, asked.test, asked.train_s)
        for name, order in together.items():
            add(name, order.found, order.train_s)
        for name, peer in _peers(protocol, budget, seed, on_step):
            add(name, peer.test, peer.train_s)
    for name, asked in (service | fixed).items():
        add(name, asked.test)
    return Comparison(
        title=protocol.title,
        questions={
            "all": len(protocol.test),
            "new": int((~protocol.test.repeat).sum()),
            "repeat": int(protocol.test.repeat.sum()),
        },
        offered=protocol.test.mean_offered,
        budget=budget,
        rows=rows,
        channels=(*models, *service),
        handed=[share for share, _ in shares],
        kept=[share for _, share in shares],
    )


def _together(
    protocol: Protocol, trained: Mapping[str, _Asked], others: Mapping[str, _Asked], *, budget: int, seed: int
) -> dict[str, Order]:
    """The orders of all channels together: of the models and of those that learn nothing."""
    channels = {**trained, **others}
    return orders(
        protocol,
        {name: asked.validation for name, asked in channels.items()},
        {name: asked.test for name, asked in channels.items()},
        tower=trained[TOWER].scorer if TOWER in trained else None,
        budget=budget,
        seed=seed,
    )


def train_recall(name: str, protocol: Protocol, directory: Path, seed: int) -> TrainedModel:
    """The recall model of a name, trained by its configuration; a finished run in the directory is taken as it is."""
    if (directory / HISTORY_FILE).exists():
        return load_trained(directory)
    config, dataset = load_config(CONFIGS / f"{name}.toml"), protocol.dataset
    options: Any = replace(config.options, **protocol.options.get(name, {}))
    return train(
        replace(config, seed=seed, options=options),
        dataset.split.training,
        dataset.split.validation,
        directory,
        encodings=encodings_of(dataset.catalog.features),
        visits=dataset.enters,
        rooms=dataset.rooms,
    )


def _rules(protocol: Protocol, budget: int, on_step: OnStep) -> dict[str, _Asked]:
    dataset = protocol.dataset
    scorers: dict[str, Scorer] = rules(dataset.enters, dataset.rooms, dataset.at.validation_ms)
    scorers["random"] = RandomOrder(0)
    found: dict[str, _Asked] = {}
    for name, scorer in scorers.items():
        on_step(name)
        found[name] = _ask(protocol, scorer, scorer, budget)
    return found


def _service(protocol: Protocol, budget: int, on_step: OnStep) -> dict[str, _Asked]:
    """What the service's channels without a model find."""
    dataset = protocol.dataset
    lists: list[dict[str, Found]] = []
    for part, questions in (("validation", protocol.validation), ("test", protocol.test)):
        on_step(f"channels of the service, {part}")
        lists.append(
            ask_channels(
                questions,
                memory_channels(),
                dataset.rooms,
                log=dataset.about.log,
                catalog=dataset.catalog,
                most=budget,
            )
        )
    return {name: _Asked(lists[0][name], lists[1][name]) for name in lists[0]}


def _model(name: str, protocol: Protocol, work: Path, budget: int, seed: int, on_step: OnStep) -> _Asked:
    dataset = protocol.dataset
    on_step(f"{name}, seed {seed}")
    trained = train_recall(name, protocol, work / f"{name}-{seed}", seed)
    model = CallableModel.of(trained.model)

    def scorer(samples: Samples) -> Scorer:
        return recall_scorer(model, samples.slates, dataset.rooms, samples.layout)

    test = scorer(dataset.split.test)
    asked = _ask(protocol, scorer(dataset.split.validation), test, budget)
    return replace(asked, train_s=sum(entry["seconds"] for entry in trained.history), scorer=test)


def _peers(protocol: Protocol, budget: int, seed: int, on_step: OnStep) -> list[tuple[str, _Asked]]:
    dataset = protocol.dataset
    visits = Visits.of(dataset.enters, dataset.at.validation_ms)
    found: list[tuple[str, _Asked]] = []
    for name, fit in (AMONG_LIVE if protocol.by_room else AMONG_ALL).items():
        on_step(f"{name}, seed {seed}")
        fitted = fit(visits, seed)
        scorer = peer_scorer(fitted, visits, protocol.test, dataset.rooms)
        test = ask(protocol.test, scorer, dataset.rooms, budget)
        found.append((name, _Asked(test, test, fitted.seconds)))
    return found


def _ask(protocol: Protocol, validation: Scorer, test: Scorer, budget: int) -> _Asked:
    rooms = protocol.dataset.rooms
    return _Asked(ask(protocol.validation, validation, rooms, budget), ask(protocol.test, test, rooms, budget))


def _known(dataset: Dataset) -> np.ndarray:
    """Keys of the streamers who were entered in the training period."""
    count = np.searchsorted(dataset.enters.time_ms, dataset.at.validation_ms)
    return np.unique(dataset.enters.streamer[:count])
