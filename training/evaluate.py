"""Evaluation of a ranker: how well each head orders impressions, and how well its probabilities are calibrated."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.bootstrap import REPLICATES, Interval, bootstrap, interval
from training.data.samples import Samples
from training.heads import HEAD_NAMES, HEADS
from training.metrics import (
    ComparedPairs,
    RankedLabels,
    calibration_bins,
    calibration_curve,
    calibration_error,
    defined,
    grouped_auc,
    log_losses,
    normalised_entropy,
    ratio,
)

LEAST_POSITIVES = 100
"""With fewer positives (or negatives) two models cannot be told apart, and no comparison is made."""

CONVERSION = "long_watch|enter"
"""The name under which a long watch is judged among entered impressions only (CVR)."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric with its uncertainty.

    Attributes:
        value: None where it is undefined.
        interval: 95 % bootstrap interval over users.
    """

    value: float | None
    interval: Interval | None = None


@dataclass(frozen=True, slots=True)
class CalibrationPoint:
    """Impressions of similar prediction: how many, what was predicted, what happened."""

    impressions: int
    predicted: float
    observed: float


@dataclass(frozen=True, slots=True)
class HeadReport:
    """One head on the impressions that have its label.

    Attributes:
        head: Its name, or `CONVERSION`.
        impressions: Rows with a label.
        positives: Rows with a label above zero.
        non_finite: Predictions that are NaN or infinite; the metrics are undefined if there is any.
        comparable: At least 100 positives and (of a binary head) 100 negatives.
        metrics: auc, gauc, log_loss, normalised_entropy and ece; of an amount mae, rmse and ece in its unit, and xauc.
            With few impressions a bin's noise alone makes an ece: compare it with its interval in mind.
        calibration: The calibration curve, by ascending prediction.
    """

    head: str
    impressions: int
    positives: int
    non_finite: int
    comparable: bool
    metrics: Mapping[str, Estimate]
    calibration: tuple[CalibrationPoint, ...]


@dataclass(frozen=True, slots=True)
class RankingReport:
    """A ranker on a set of samples.

    Attributes:
        model: Its name.
        impressions: All rows, `sampled` included.
        sampled: Rows that nobody saw, drawn among the rooms live then: they count as negatives, so with them AUC, log
            loss and calibration speak of that drawing, not of what viewers would do with a shown room.
        users: Distinct users.
        heads: By head.
    """

    model: str
    impressions: int
    sampled: int
    users: int
    heads: Mapping[str, HeadReport]


@dataclass(frozen=True, slots=True)
class LabelledRows:
    """The labelled rows of one head.

    Attributes:
        labels: float64 [N].
        predictions: float64 [N].
        user: Number of the user, from 0, int64 [N].
        users: U.
    """

    labels: NDArray[np.float64]
    predictions: NDArray[np.float64]
    user: NDArray[np.intp]
    users: int

    def sums(self, *columns: NDArray[np.floating]) -> NDArray[np.float64]:
        """How many rows each user has, and the sums of columns [N] over them, [U, 1 + columns]."""
        counts = np.bincount(self.user, minlength=self.users)
        totals = [np.bincount(self.user, column, minlength=self.users) for column in columns]
        return np.stack([counts, *totals], axis=1).astype(np.float64)

    def gaps(self, bins: NDArray[np.intp]) -> NDArray[np.float64]:
        """Σ (label - prediction) of each user in each calibration bin, [U, bins]."""
        width = int(bins.max()) + 1
        cell = self.user * width + bins
        gap = np.bincount(cell, self.labels - self.predictions, minlength=self.users * width)
        return gap.reshape(self.users, width).astype(np.float64)


Statistic = Callable[[NDArray[np.integer]], NDArray[np.float64]]
"""Metrics [M] as a function of how often each user counts [U]."""


def evaluate_ranking(
    predictions: NDArray[np.float32],
    samples: Samples,
    *,
    model: str = "model",
    heads: Sequence[str] | None = None,
    seed: int = 0,
    replicates: int = REPLICATES,
) -> RankingReport:
    """Judges predictions against labels, a head at a time; masked labels do not count.

    Args:
        predictions: float32 [N, heads]; probabilities, or amounts in the head's unit.
        samples: N impressions.
        model: Name in the report.
        heads: The columns of `predictions`; those of the samples' layout if not given.
        seed: Of the bootstrap.
        replicates: Of the bootstrap; 0 leaves the intervals out.

    Raises:
        ValueError: The predictions' shape does not fit samples and heads.
    """
    heads = tuple(heads if heads is not None else samples.layout.heads)
    candidates = samples.candidates
    expected = (len(candidates.slate), len(heads))
    if predictions.shape != expected:
        raise ValueError(f"predictions: expected shape {expected} (impressions, heads), received {predictions.shape}")
    reports: dict[str, HeadReport] = {}
    for name, rows in labelled_rows(predictions, samples, heads).items():
        reports[name] = _head_report(name, rows, seed, replicates)
    users = len(np.unique(samples.slates.user))
    return RankingReport(model, len(candidates.slate), int(candidates.sampled.sum()), users, reports)


def labelled_rows(predictions: NDArray[np.float32], samples: Samples, heads: Sequence[str]) -> dict[str, LabelledRows]:
    """The labelled rows of each head, and of the conversion p(long watch) / p(enter) if the model has both."""
    labels, mask = samples.candidates.labels, samples.candidates.mask
    users, user = np.unique(samples.slates.user, return_inverse=True)
    user = user[samples.candidates.slate]

    def rows(head: str, kept: NDArray[np.bool_], predicted: NDArray[np.float32]) -> LabelledRows:
        label = labels[kept, HEAD_NAMES.index(head)]
        return LabelledRows(label.astype(np.float64), predicted.astype(np.float64), user[kept], len(users))

    columns: dict[str, LabelledRows] = {}
    for place, name in enumerate(heads):
        kept = mask[:, HEAD_NAMES.index(name)]
        columns[name] = rows(name, kept, predictions[kept, place])
    if {"enter", "long_watch"} <= set(heads):
        enter, watch = HEAD_NAMES.index("enter"), HEAD_NAMES.index("long_watch")
        kept = mask[:, watch] & mask[:, enter] & (labels[:, enter] > 0)
        entered = np.maximum(predictions[kept, heads.index("enter")], np.finfo(np.float32).tiny)
        with np.errstate(invalid="ignore", over="ignore"):  # What is not finite is counted by the report.
            converted = np.minimum(predictions[kept, heads.index("long_watch")] / entered, 1)
        columns[CONVERSION] = rows("long_watch", kept, converted)
    return columns


def statistic_of(name: str, rows: LabelledRows, seed: int = 0) -> tuple[tuple[str, ...], Statistic]:
    """The names of a head's metrics and the statistic that gives them; predictions must be finite.

    Args:
        name: A head, or `CONVERSION`.
        rows: At least one.
        seed: Of the pairs that an amount is judged by.
    """
    bins = calibration_bins(rows.predictions)
    return _binary(rows, bins) if _is_binary(name) else _amount(rows, bins, np.random.default_rng(seed))


def _is_binary(name: str) -> bool:
    return name == CONVERSION or HEADS[name].binary


def _head_report(name: str, rows: LabelledRows, seed: int, replicates: int) -> HeadReport:
    positives = int((rows.labels > 0).sum())
    negatives = len(rows.labels) - positives
    non_finite = int((~np.isfinite(rows.predictions)).sum())
    comparable = positives >= LEAST_POSITIVES and (negatives >= LEAST_POSITIVES or not _is_binary(name))
    if non_finite or not len(rows.labels):
        return HeadReport(name, len(rows.labels), positives, non_finite, comparable, {}, ())
    names, statistic = statistic_of(name, rows, seed)
    values = statistic(np.ones(rows.users, np.int64))
    draws = bootstrap(statistic, rows.users, seed, replicates) if replicates else np.zeros((0, len(names)))
    metrics = {
        metric: _estimate(metric, value, draws[:, place])
        for place, (metric, value) in enumerate(zip(names, values.tolist(), strict=True))
    }
    curve = calibration_curve(calibration_bins(rows.predictions), rows.labels, rows.predictions)
    points = tuple(CalibrationPoint(int(count), float(mean), float(rate)) for count, mean, rate in curve)
    return HeadReport(name, len(rows.labels), positives, 0, comparable, metrics, points)


def _estimate(metric: str, value: float, draws: NDArray[np.float64]) -> Estimate:
    """A metric with its interval.

    Resampling adds noise to every calibration bin, which can only raise the error, so that its draws lie above the
    estimate even of a perfect model: they are reflected at it (the basic bootstrap interval).
    """
    if defined(value) is None:
        return Estimate(None)
    return Estimate(float(value), interval(np.maximum(2 * value - draws, 0) if metric == "ece" else draws))


def _binary(rows: LabelledRows, bins: NDArray[np.intp]) -> tuple[tuple[str, ...], Statistic]:
    """The metrics of a probability as a function of how often each user counts."""
    ranked = RankedLabels.of(rows.labels, rows.predictions)
    grouped = grouped_auc(rows.labels, rows.predictions, rows.user)
    sums, gaps = rows.sums(log_losses(rows.labels, rows.predictions), rows.labels), rows.gaps(bins)

    def statistic(counts: NDArray[np.integer]) -> NDArray[np.float64]:
        total, loss, positives = counts @ sums
        log_loss = ratio(loss, total)
        entropy = normalised_entropy(log_loss, ratio(positives, total))
        error = calibration_error(counts @ gaps, total)
        return np.array(
            [ranked.auc(counts.astype(np.float64)[rows.user]), grouped.mean(counts), log_loss, entropy, error]
        )

    return ("auc", "gauc", "log_loss", "normalised_entropy", "ece"), statistic


def _amount(rows: LabelledRows, bins: NDArray[np.intp], rng: np.random.Generator) -> tuple[tuple[str, ...], Statistic]:
    """The metrics of an amount as a function of how often each user counts."""
    pairs = ComparedPairs.of(rows.labels, rows.predictions, rng)
    errors = np.abs(rows.labels - rows.predictions)
    sums, gaps = rows.sums(errors, errors**2), rows.gaps(bins)

    def statistic(counts: NDArray[np.integer]) -> NDArray[np.float64]:
        weights = counts.astype(np.float64)[rows.user]
        total, absolute, squared = counts @ sums
        error = calibration_error(counts @ gaps, total)
        return np.array([ratio(absolute, total), ratio(squared, total) ** 0.5, pairs.xauc(weights), error])

    return ("mae", "rmse", "xauc", "ece"), statistic
