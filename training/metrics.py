"""Metrics: pure functions of labels and predictions; scikit-learn is their judge in the tests.

Every metric takes `weights`, how often each row counts, so that a bootstrap can reuse what was sorted once. A metric
that is undefined (one class only, nothing to compare) is NaN in the arrays and None at the edge (`defined`).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Integers = NDArray[np.integer]

CALIBRATION_BINS = 15
LEAST_PROBABILITY = 1e-7
"""Probabilities are clipped to [1e-7, 1 - 1e-7] before a logarithm: a float32 sigmoid reaches 0 and 1."""


def defined(value: float) -> float | None:
    """The value, or None where the metric is undefined."""
    return float(value) if math.isfinite(value) else None


def _ratio(numerator: float, denominator: float) -> float:
    return float(numerator / denominator) if denominator > 0 else math.nan


def weighted_mean(values: Floats, weights: Floats) -> float:
    """Σ w x / Σ w of values [N]; NaN without weight."""
    return _ratio(float(weights @ values), float(weights.sum()))


@dataclass(frozen=True, slots=True)
class RankedLabels:
    """Binary labels in the order of their scores, sorted once for many weightings.

    Attributes:
        order: Rows by ascending score, int64 [N].
        tie_starts: Where in `order` each distinct score begins, int64 [T].
        positive: Labels in that order, float64 [N].
    """

    order: NDArray[np.intp]
    tie_starts: NDArray[np.intp]
    positive: NDArray[np.float64]

    @classmethod
    def of(cls, labels: Floats, scores: Floats) -> "RankedLabels":
        """Sorts labels [N] (0 or 1) by scores [N]."""
        order = np.argsort(scores, kind="stable")
        ordered = scores[order]
        tie_starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1]))) if len(order) else order
        return cls(order, tie_starts, labels[order].astype(np.float64))

    def auc(self, weights: Floats) -> float:
        """P(a positive scores above a negative), ties count half; rows count `weights` [N] times. NaN: one class."""
        if not len(self.order):
            return math.nan
        ordered = weights[self.order]
        positive = np.add.reduceat(ordered * self.positive, self.tie_starts)
        negative = np.add.reduceat(ordered, self.tie_starts) - positive
        below = np.cumsum(negative) - negative
        return _ratio(float(positive @ (below + negative / 2)), float(positive.sum() * negative.sum()))


def auc(labels: Floats, scores: Floats) -> float | None:
    """Area under the ROC curve of labels [N] (0 or 1) and scores [N]; None if there is one class only."""
    return defined(RankedLabels.of(labels, scores).auc(np.ones(len(labels))))


@dataclass(frozen=True, slots=True)
class GroupedAuc:
    """The AUC within each user that has both classes.

    Attributes:
        auc: float64 [G].
        weight: Impressions of the user, float64 [G].
        group: Which user, int64 [G].
    """

    auc: NDArray[np.float64]
    weight: NDArray[np.float64]
    group: NDArray[np.intp]

    def mean(self, counts: NDArray[np.integer] | None = None) -> float:
        """GAUC = Σ_u w_u AUC_u / Σ_u w_u, w = impressions; users count `counts` [U] times. NaN without any user.

        References:
            Zhou et al., Deep Interest Network, KDD 2018, eq. 7.
        """
        weight = self.weight if counts is None else self.weight * counts[self.group]
        return weighted_mean(self.auc, weight)


def grouped_auc(labels: Floats, scores: Floats, groups: Integers) -> GroupedAuc:
    """The AUC within each group; groups with one class only are left out.

    Per group AUC = (Σ ranks of positives - P (P + 1) / 2) / (P N), with tied scores sharing their mean rank.

    Args:
        labels: 0 or 1, [N].
        scores: [N].
        groups: Number of the group (user), from 0, [N].
    """
    order = np.lexsort((scores, groups))
    group, score, label = groups[order], scores[order], labels[order].astype(np.float64)
    sizes = np.bincount(group)
    place = np.arange(len(order)) - (np.cumsum(sizes) - sizes)[group]
    new_tie = np.ones(len(order), bool)
    new_tie[1:] = (group[1:] != group[:-1]) | (score[1:] != score[:-1])
    starts = np.flatnonzero(new_tie)
    lengths = np.diff(np.append(starts, len(order)))
    rank = np.repeat(place[starts] + (lengths + 1) / 2, lengths)
    positives = np.bincount(group, label)
    negatives = sizes - positives
    both = np.flatnonzero((positives > 0) & (negatives > 0))
    above = np.bincount(group, rank * label) - positives * (positives + 1) / 2
    return GroupedAuc(above[both] / (positives[both] * negatives[both]), sizes[both].astype(np.float64), both)


def log_losses(labels: Floats, probabilities: Floats) -> NDArray[np.float64]:
    """-y log p - (1 - y) log(1 - p) of each row, [N]."""
    p = np.clip(probabilities.astype(np.float64), LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    return -np.where(labels > 0, np.log(p), np.log1p(-p))


def normalised_entropy(log_loss: float, positive_rate: float) -> float:
    """Log loss divided by that of always predicting the base rate; 1 = learnt nothing. NaN: one class only.

    References:
        He et al., Practical Lessons from Predicting Clicks on Ads at Facebook, ADKDD 2014, eq. 1.
    """
    if not 0 < positive_rate < 1:
        return math.nan
    base = -positive_rate * math.log(positive_rate) - (1 - positive_rate) * math.log(1 - positive_rate)
    return log_loss / base


@dataclass(frozen=True, slots=True)
class CalibrationBins:
    """Predictions in bins of equal mass: rare heads would share one bin of equal width.

    Attributes:
        bin: Each row's bin, int64 [N]. Equal predictions are never parted, so there may be fewer bins than asked for.
        labels: float64 [N].
        predictions: float64 [N].
    """

    bin: NDArray[np.intp]
    labels: NDArray[np.float64]
    predictions: NDArray[np.float64]

    @classmethod
    def of(cls, labels: Floats, predictions: Floats, bins: int = CALIBRATION_BINS) -> "CalibrationBins":
        """Bins rows by their predictions [N]."""
        predictions = predictions.astype(np.float64)
        if not len(predictions):
            return cls(np.zeros(0, np.intp), labels.astype(np.float64), predictions)
        edges = np.quantile(predictions, np.arange(1, bins) / bins, method="higher")
        return cls(np.searchsorted(np.unique(edges), predictions, side="right"), labels.astype(np.float64), predictions)

    def curve(self, weights: Floats) -> NDArray[np.float64]:
        """Weight, mean prediction and mean label of each bin that has weight, [bins, 3]."""
        weight = np.bincount(self.bin, weights)
        kept = weight > 0
        predicted = np.bincount(self.bin, weights * self.predictions)[kept] / weight[kept]
        observed = np.bincount(self.bin, weights * self.labels)[kept] / weight[kept]
        return np.stack([weight[kept], predicted, observed], axis=1).astype(np.float64)

    def error(self, weights: Floats) -> float:
        """ECE = Σ_b w_b / Σ w · |mean label - mean prediction|. NaN without rows.

        References:
            Naeini et al., Obtaining Well Calibrated Probabilities Using Bayesian Binning, AAAI 2015. They take bins of
            equal width; equal mass follows Nguyen and O'Connor, EMNLP 2015.
        """
        weight, predicted, observed = self.curve(weights).T
        return weighted_mean(np.abs(observed - predicted), weight)


@dataclass(frozen=True, slots=True)
class ComparedPairs:
    """Pairs of rows with different amounts, drawn once for many weightings.

    Attributes:
        larger: Row of the larger amount, int64 [P].
        smaller: Row of the smaller one, int64 [P].
        right: 1 if the prediction orders them so, 1/2 if it ties, else 0, float64 [P].
    """

    larger: NDArray[np.intp]
    smaller: NDArray[np.intp]
    right: NDArray[np.float64]

    @classmethod
    def of(cls, amounts: Floats, predictions: Floats, rng: np.random.Generator, most: int = 200_000) -> "ComparedPairs":
        """All pairs of rows if they are at most `most`, otherwise `most` drawn at random."""
        rows = len(amounts)
        if rows * (rows - 1) // 2 <= most:
            first, second = np.triu_indices(rows, 1)
        else:
            first, second = rng.integers(rows, size=(2, most))
        differ = amounts[first] != amounts[second]
        first, second = first[differ], second[differ]
        swap = amounts[first] < amounts[second]
        larger, smaller = np.where(swap, second, first), np.where(swap, first, second)
        right = (np.sign(predictions[larger] - predictions[smaller]) + 1) / 2
        return cls(larger, smaller, right.astype(np.float64))

    def xauc(self, weights: Floats) -> float:
        """The share of pairs of different amounts that the prediction orders right. NaN without such a pair.

        References:
            Zhan et al., Deconfounding Duration Bias in Watch-time Prediction, KDD 2022.
        """
        return weighted_mean(self.right, weights[self.larger] * weights[self.smaller])


def rank_of(scores: Floats, target: int, ids: Integers) -> int:
    """0-based rank of candidate `target` by descending score [C]; ties break by ascending id [C], NaN sinks."""
    scores = np.where(np.isnan(scores), -np.inf, scores)
    above = scores > scores[target]
    tied_before = (scores == scores[target]) & (ids < ids[target])
    return int(np.count_nonzero(above | tied_before))


def hits(ranks: Integers, k: int) -> NDArray[np.float64]:
    """Whether the target is among the first k, [C]; its mean is recall@k of cases with one target."""
    return (ranks < k).astype(np.float64)


def ndcg(ranks: Integers, k: int) -> NDArray[np.float64]:
    """1 / log2(rank + 2) within the first k, else 0, [C]: the ideal gain of one target is 1."""
    return np.where(ranks < k, 1 / np.log2(ranks + 2.0), 0.0)
