"""The comparison of rankers: every row trained once a seed on the same samples, and judged on the same test part."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.compare.ranking.cost import Cost, cost_of
from training.compare.ranking.data import RankingData
from training.compare.ranking.feature_groups import left_out
from training.compare.ranking.measures import HeadMeasures, measure
from training.compare.ranking.rows import PAIRS, Net, heads_of, nets_of
from training.compare.ranking.settings import Settings, config_of, configured_heads
from training.data.samples import Samples
from training.data.split import Split
from training.models.ranking import Ranker
from training.predict import predict
from training.run_config import RunConfig
from training.train import train
from training.trained import HISTORY_FILE, TrainedError, TrainedModel, load_trained

OnStep = Callable[[str], None]
"""Takes what is being done."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: a measure a seed.

    Attributes:
        heads: What is reported of each seed, by head.
        costs: Of each seed.
    """

    heads: list[Mapping[str, HeadMeasures]] = field(default_factory=list)
    costs: list[Cost] = field(default_factory=list)

    def seeds_of(self, head: str) -> list[HeadMeasures]:
        """A head over the seeds; empty if the row does not predict it."""
        return [each[head] for each in self.heads if head in each]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was measured.

    Attributes:
        title: What the data are.
        reported: What is reported, and how it is called.
        impressions: Of training, validation and test.
        users: Of the test part.
        rows: By name.
        pairs: Names of rows that are set against each other, what should be better first.
    """

    title: str
    reported: Mapping[str, str]
    impressions: tuple[int, int, int]
    users: int
    rows: Mapping[str, Row]
    pairs: Sequence[tuple[str, str]]


def compare_rankers(
    data: RankingData,
    *,
    settings: Settings,
    rows: Sequence[str],
    seeds: Sequence[int],
    work: Path,
    drop: Sequence[str] = (),
    on_step: OnStep = lambda _: None,
) -> Comparison:
    """Trains and measures every row once a seed.

    Args:
        data: The data.
        settings: What all rankers share.
        rows: Names of rows, see `rows.nets_of`.
        seeds: Of every training.
        work: Folder of the training runs; a run that is finished there is taken as it is.
        drop: Groups of features; each row is trained once more without each of them.
        on_step: Is called before each step.

    Raises:
        UserError: A row or a group is not there.
        ConfigError: The data lack what a ranker needs.
        TrainedError: The folder holds runs of other data or settings.
    """
    nets = {row: _nets(row, data, settings) for row in rows}
    for group in drop:
        nets |= {_without(row, group): _nets(row, data, settings, group) for row in rows}
    found = {row: Row() for row in nets}
    for seed in seeds:
        trainer = _Trainer(data, settings, seed, work, on_step)
        for row, parts in nets.items():
            trained = [trainer.trained(net) for net in parts]
            predictions = together(parts, [each.predictions for each in trained])
            found[row].heads.append(measure(predictions, data.split.test, heads_of(parts)))
            found[row].costs.append(sum((each.cost for each in trained), Cost()))
    pairs = [(row, _without(row, group)) for row in rows for group in drop]
    return Comparison(
        title=data.title,
        reported=data.reported,
        impressions=_sizes(data.split),
        users=len(np.unique(data.split.test.slates.user)),
        rows=found,
        pairs=pairs or [pair for pair in PAIRS if set(pair) <= set(rows)],
    )


def together(nets: Sequence[Net], predictions: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """What the nets of a row predict, float32 [N, heads] as `heads_of` orders them.

    A net that learnt from entered impressions alone predicts given an enter; it is multiplied by p(enter).
    """
    by_head: dict[str, NDArray[np.float32]] = {}
    for net, values in zip(nets, predictions, strict=True):
        given = by_head["enter"] if net.entered_only else np.float32(1)
        by_head |= {head: given * values[:, place] for place, head in enumerate(net.heads)}
    return np.stack([by_head[head] for head in heads_of(nets)], axis=1)


def entered_alone(samples: Samples) -> Samples:
    """The samples with all labels masked where nobody entered."""
    candidates = samples.candidates
    mask = candidates.mask & candidates.entered[:, None]
    labels = np.where(mask, candidates.labels, np.float32(0))
    return replace(samples, candidates=replace(candidates, labels=labels, mask=mask))


@dataclass(frozen=True, slots=True)
class _Trained:
    """A net's predictions for the test part, float32 [N, heads], and its cost."""

    predictions: NDArray[np.float32]
    cost: Cost


class _Trainer:
    """Trains nets with one seed, each once."""

    def __init__(self, data: RankingData, settings: Settings, seed: int, work: Path, on_step: OnStep) -> None:
        self._data = data
        self._settings = settings
        self._seed = seed
        self._work = work
        self._on_step = on_step
        self._found: dict[Net, _Trained] = {}

    def trained(self, net: Net) -> _Trained:
        """A net's predictions and cost."""
        if net not in self._found:
            self._on_step(f"{net.name}, seed {self._seed}")
            self._found[net] = self._train(net)
        return self._found[net]

    def _train(self, net: Net) -> _Trained:
        parts = self._data.split
        training, validation = parts.training, parts.validation
        if net.entered_only:
            training, validation = entered_alone(training), entered_alone(validation)
        dropped = left_out(net.without, training.layout) if net.without else ()
        config = config_of(net, self._settings, self._seed, dropped)
        run = _run(config, training, validation, self._work / f"{net.name}-{self._seed}", self._data)
        model = run.model
        if not isinstance(model, Ranker):
            raise TypeError(f"{net.ranker}: expected a ranker, received a {type(model).__name__}")
        columns = [model.layout.heads.index(head) for head in net.heads]
        predictions = predict(model, parts.test)[:, columns]
        return _Trained(predictions, cost_of(model, run.history, training, parts.test))


def _run(config: RunConfig, training: Samples, validation: Samples, directory: Path, data: RankingData) -> TrainedModel:
    """The finished run of the directory, if it is of this configuration, or a new one."""
    if not (directory / HISTORY_FILE).exists():
        return train(config, training, validation, directory, encodings=data.encodings)
    found = load_trained(directory)
    seen_ms = max(int(part.slates.time_ms.max()) for part in (training, validation))
    if (found.config, found.seen_until_ms) != (config, seen_ms):
        raise TrainedError(f"{directory}: expected a run of these settings and samples, received another: move it away")
    return found


def _nets(row: str, data: RankingData, settings: Settings, without: str = "") -> tuple[Net, ...]:
    """The nets of a row, for the heads that data, settings and the ranker's configuration all have."""
    ranker = row.partition(":")[0]
    nets_of(row, ("enter", "long_watch"))  # Refuses a row that is not there.
    wanted = settings.heads or data.split.training.layout.heads
    configured = configured_heads(ranker)
    heads = [head for head in data.split.training.layout.heads if head in wanted and head in configured]
    return nets_of(row, heads, without)


def _without(row: str, group: str) -> str:
    return f"{row} without {group}"


def _sizes(parts: Split) -> tuple[int, int, int]:
    training, validation, test = (len(part.candidates.slate) for part in (parts.training, parts.validation, parts.test))
    return training, validation, test
