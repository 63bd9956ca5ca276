"""What it is worth to learn on every hour: a ranker that goes on hour by hour beside one that is trained once a day."""

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

ARMS = ("hourly", "daily")

_BOOTSTRAP_SEED = 0

OnStep = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class HeadGain:
    """One head, over all next hours.

    Attributes:
        positives: Positives among the impressions judged.
        gauc: By arm: AUC within a viewer's hour, weighted by impressions.
        draws: That of `hourly` less that of `daily` with viewers drawn with replacement, float64 [B].
    """

    positives: int
    gauc: Mapping[str, float]
    draws: NDArray[np.float64]

    @property
    def gain(self) -> float:
        """The GAUC of `hourly` less that of `daily`."""
        return self.gauc[ARMS[0]] - self.gauc[ARMS[1]]

    @property
    def interval(self) -> Interval | None:
        """The gain's 95 % interval."""
        return interval(self.draws)


def mean_gain(seeds: Sequence[HeadGain]) -> HeadGain:
    """The mean over seeds, judged on the same impressions."""
    gauc = {arm: float(np.mean([each.gauc[arm] for each in seeds])) for arm in ARMS}
    return HeadGain(seeds[0].positives, gauc, np.mean([each.draws for each in seeds], axis=0))


@dataclass(frozen=True, slots=True)
class _Judged:
    """Predictions of all next hours, rows in order of time."""

    samples: Samples
    predictions: Mapping[str, NDArray[np.float32]]
    hour: NDArray[np.int64]
    heads: tuple[str, ...]


def compare_incremental(
    samples: Samples,
    config: RunConfig,
    encodings: Encodings,
    work: Path,
    *,
    from_ms: int,
    hours: int,
    learning_rate: float,
    on_step: OnStep,
) -> dict[str, HeadGain]:
    """Trains one model on what is known at a time, and lets it go on with each of the hours after that.

    Both arms answer for each hour before they have seen anything of it: `daily` as it was trained, `hourly` as it has
    gone on until then. Every label is learnt once, when its window is over.

    Args:
        samples: With all labels.
        config: Of the ranker.
        encodings: How each feature is taken in.
        work: Folder of the runs.
        from_ms: When the first of the hours begins.
        hours: How many there are.
        learning_rate: Of the hourly steps, which are one epoch each.
        on_step: Is told what begins.
    """
    on_step("trained once")
    held_out_ms = from_ms - HELD_OUT_MS
    daily = hourly = _trained(
        config, known_at(samples.between(0, held_out_ms), held_out_ms), samples, encodings, work / "daily", from_ms
    )
    step = replace(config, training=replace(config.training, epochs=1, learning_rate=learning_rate))
    since = work / "daily"
    parts: dict[str, list[NDArray[np.float32]]] = {arm: [] for arm in ARMS}
    for number in range(hours):
        start_ms = from_ms + number * HOUR_MS
        on_step(f"hour {number + 1} of {hours}")
        if number:
            until_ms, held_out_ms = held_out_ms, start_ms - HELD_OUT_MS
            fresh = samples.between(until_ms - LONGEST_WINDOW_MS, held_out_ms)
            fresh = decided_between(fresh, until_ms, held_out_ms)
            directory = work / f"hour-{number}"
            hourly = _trained(step, fresh, samples, encodings, directory, start_ms, since)
            since = directory
        asked = samples.between(start_ms, start_ms + HOUR_MS)
        for arm, model in zip(ARMS, (hourly, daily), strict=True):
            parts[arm].append(predict(model, asked))
    judged = samples.between(from_ms, from_ms + hours * HOUR_MS)
    hour = (judged.slates.time_ms[judged.candidates.slate] - from_ms) // HOUR_MS
    predictions = {arm: np.concatenate(found) for arm, found in parts.items()}
    return _gains(_Judged(judged, predictions, hour, daily.layout.heads))


def _trained(
    config: RunConfig,
    training: Samples,
    samples: Samples,
    encodings: Encodings,
    directory: Path,
    now_ms: int,
    since: Path | None = None,
) -> Ranker:
    """Trained on `training`, if it is not yet, and calibrated on what is known by now of the slates held out."""
    if (directory / HISTORY_FILE).exists():
        model = load_trained(directory).model
    else:
        held_out = known_at(samples.between(now_ms - HELD_OUT_MS, now_ms), now_ms)
        model = train(config, training, held_out, directory, encodings=encodings, since=since).model
    if not isinstance(model, Ranker):
        raise ConfigError(f"model {config.model}: expected a ranker, received a recall model")
    return model


def _gains(judged: _Judged) -> dict[str, HeadGain]:
    return {head: _gain(judged, head) for head in judged.heads if HEADS[head].binary}


def _gain(judged: _Judged, head: str) -> HeadGain:
    candidates = judged.samples.candidates
    column, place = HEAD_NAMES.index(head), judged.heads.index(head)
    rows = np.flatnonzero(candidates.mask[:, column])
    labels = candidates.labels[rows, column]
    viewers, viewer = np.unique(judged.samples.slates.user[candidates.slate[rows]], return_inverse=True)
    hours = int(judged.hour.max()) + 1
    group = viewer * hours + judged.hour[rows]
    found = {arm: grouped_auc(labels, judged.predictions[arm][rows, place], group) for arm in ARMS}

    def gain(counts: NDArray[np.int64]) -> NDArray[np.float64]:
        one, two = (found[arm].mean(np.repeat(counts, hours)) for arm in ARMS)
        return np.array([one - two])

    draws = bootstrap(gain, len(viewers), _BOOTSTRAP_SEED, REPLICATES)[:, 0]
    return HeadGain(int((labels > 0).sum()), {arm: found[arm].mean() for arm in ARMS}, draws)
