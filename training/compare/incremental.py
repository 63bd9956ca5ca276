"""What it is worth to learn on every hour: a ranker that goes on hour by hour beside one that is trained once a day.

What the hourly ranker gains may come of newer samples, or only of more of them. The control `older` tells them apart:
it goes on as often, with as many slates, but of the time before, which nobody has learnt from.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.bootstrap import REPLICATES, Interval, bootstrap, interval
from training.data.hours import HOUR_MS
from training.data.samples import Samples
from training.data.split import LONGEST_WINDOW_MS, decided_between, known_at
from training.heads import HEAD_NAMES, HEADS
from training.layers.fitted import Encodings
from training.metrics import grouped_auc
from training.models.ranking import Ranker
from training.predict import predict
from training.run_config import ConfigError, RunConfig
from training.train import train
from training.trained import HISTORY_FILE, load_trained

HELD_OUT_MS = 1_200_000
"""The newest slates choose the epoch and calibrate; the next hour learns from them."""

HOURLY, OLDER, DAILY = "hourly", "older", "daily"

STEP_RATE = 5e-4
"""Learning rate of an hour's step, of a ranker that was first trained with twice that."""

_BOOTSTRAP_SEED = 0

OnStep = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class HeadGauc:
    """One head, over all next hours.

    Attributes:
        positives: Positives among the impressions judged.
        gauc: By arm: AUC within a viewer's hour, weighted by impressions.
        draws: By arm: the same with viewers drawn with replacement, the same ones for every arm, float64 [B].
    """

    positives: int
    gauc: Mapping[str, float]
    draws: Mapping[str, NDArray[np.float64]]

    def gain(self, arm: str, over: str) -> float:
        """The GAUC of one arm less that of another."""
        return self.gauc[arm] - self.gauc[over]

    def interval(self, arm: str, over: str) -> Interval | None:
        """The gain's 95 % interval."""
        return interval(self.draws[arm] - self.draws[over])


def mean_gauc(seeds: Sequence[HeadGauc]) -> HeadGauc:
    """The mean over seeds, judged on the same impressions."""
    first = seeds[0]
    gauc = {arm: float(np.mean([each.gauc[arm] for each in seeds])) for arm in first.gauc}
    draws = {arm: np.mean([each.draws[arm] for each in seeds], axis=0) for arm in first.draws}
    return HeadGauc(first.positives, gauc, draws)


@dataclass(frozen=True, slots=True)
class _Judged:
    """Predictions of all next hours, by arm, rows in order of time."""

    samples: Samples
    predictions: Mapping[str, NDArray[np.float32]]
    hour: NDArray[np.int64]
    heads: tuple[str, ...]


class _LeftOut:
    """Slates that nobody has learnt from, in random order."""

    def __init__(self, samples: Samples, seed: int) -> None:
        self._samples = samples
        self._order = np.random.default_rng(seed).permutation(len(samples.slates.user))

    def next(self, slates: int) -> Samples:
        """So many of those that are left.

        Raises:
            ConfigError: There are fewer.
        """
        if slates > len(self._order):
            raise ConfigError(
                f"older: expected every second slate before the hours to be at least as many as there are in them, "
                f"received {len(self._samples.slates.user)}"
            )
        keep = np.zeros(len(self._samples.slates.user), np.bool_)
        keep[self._order[:slates]] = True
        self._order = self._order[slates:]
        return self._samples.of_slates(keep)


def compare_incremental(
    samples: Samples,
    config: RunConfig,
    encodings: Encodings,
    work: Path,
    *,
    from_ms: int,
    hours: int,
    learning_rate: float,
    older: bool = False,
    on_step: OnStep,
) -> dict[str, HeadGauc]:
    """Trains one model on what is known at a time, and lets it go on with each of the hours after that.

    All arms answer for each hour before they have seen anything of it: `daily` as it was trained, `hourly` as it has
    gone on until then. Every label is learnt once, when its window is over.

    Args:
        samples: With all labels.
        config: Of the ranker.
        encodings: How each feature is taken in.
        work: Folder of the runs.
        from_ms: When the first of the hours begins.
        hours: How many there are.
        learning_rate: Of the hourly steps, which are one epoch each.
        older: Whether there is the control `older`; every second slate before the hours is then kept for its steps.
        on_step: Is told what begins.

    Raises:
        ConfigError: The model cannot go on, or there are too few slates for `older`.
    """
    on_step("trained once")
    known = known_at(samples.between(0, from_ms - HELD_OUT_MS), from_ms - HELD_OUT_MS)
    second = older & (np.arange(len(known.slates.user)) % 2 == 1)
    left_out = _LeftOut(known.of_slates(second), config.seed) if older else None
    runs = _Runs(samples, encodings, work)
    daily = runs.trained(config, known.of_slates(~second), DAILY, from_ms)
    step = replace(config, training=replace(config.training, epochs=1, learning_rate=learning_rate))
    models: dict[str, Ranker] = dict.fromkeys((HOURLY, OLDER, DAILY) if older else (HOURLY, DAILY), daily)
    since = dict.fromkeys(models, DAILY)
    parts: dict[str, list[NDArray[np.float32]]] = {arm: [] for arm in models}
    for number in range(hours):
        start_ms = from_ms + number * HOUR_MS
        on_step(f"hour {number + 1} of {hours}")
        for arm, part in (_learnt(samples, start_ms, left_out) if number else {}).items():
            name = f"{arm}-{number}"
            models[arm] = runs.trained(step, part, name, start_ms, since[arm])
            since[arm] = name
        asked = samples.between(start_ms, start_ms + HOUR_MS)
        for arm, model in models.items():
            parts[arm].append(predict(model, asked))
    judged = samples.between(from_ms, from_ms + hours * HOUR_MS)
    hour = (judged.slates.time_ms[judged.candidates.slate] - from_ms) // HOUR_MS
    predictions = {arm: np.concatenate(found) for arm, found in parts.items()}
    return _all_heads(_Judged(judged, predictions, hour, daily.layout.heads))


def _learnt(samples: Samples, start_ms: int, left_out: _LeftOut | None) -> dict[str, Samples]:
    """What each arm that goes on learns before the hour that starts then: the labels of an hour, or as many slates."""
    until_ms = start_ms - HELD_OUT_MS
    since_ms = until_ms - HOUR_MS
    fresh = samples.between(since_ms - LONGEST_WINDOW_MS, until_ms)
    learnt = {HOURLY: decided_between(fresh, since_ms, until_ms)}
    if left_out:
        learnt[OLDER] = left_out.next(len(samples.between(since_ms, until_ms).slates.user))
    return learnt


class _Runs:
    """Trains the models of a comparison that are not yet trained."""

    def __init__(self, samples: Samples, encodings: Encodings, work: Path) -> None:
        self._samples = samples
        self._encodings = encodings
        self._work = work

    def trained(self, config: RunConfig, training: Samples, name: str, now_ms: int, since: str | None = None) -> Ranker:
        """Trained on `training`, and calibrated on what is known by now of the slates held out."""
        directory = self._work / name
        if (directory / HISTORY_FILE).exists():
            model = load_trained(directory).model
        else:
            held_out = known_at(self._samples.between(now_ms - HELD_OUT_MS, now_ms), now_ms)
            earlier = self._work / since if since else None
            model = train(config, training, held_out, directory, encodings=self._encodings, since=earlier).model
        if not isinstance(model, Ranker):
            raise ConfigError(f"model {config.model}: expected a ranker, received a recall model")
        return model


def _all_heads(judged: _Judged) -> dict[str, HeadGauc]:
    return {head: _head(judged, head) for head in judged.heads if HEADS[head].binary}


def _head(judged: _Judged, head: str) -> HeadGauc:
    candidates = judged.samples.candidates
    column, place = HEAD_NAMES.index(head), judged.heads.index(head)
    rows = np.flatnonzero(candidates.mask[:, column])
    labels = candidates.labels[rows, column]
    viewers, viewer = np.unique(judged.samples.slates.user[candidates.slate[rows]], return_inverse=True)
    hours = int(judged.hour.max()) + 1
    group = viewer * hours + judged.hour[rows]
    found = {arm: grouped_auc(labels, values[rows, place], group) for arm, values in judged.predictions.items()}

    def gauc(counts: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.array([each.mean(np.repeat(counts, hours)) for each in found.values()])

    draws = bootstrap(gauc, len(viewers), _BOOTSTRAP_SEED, REPLICATES)
    return HeadGauc(
        int((labels > 0).sum()),
        {arm: each.mean() for arm, each in found.items()},
        dict(zip(found, draws.T, strict=True)),
    )
