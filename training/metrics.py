"""Metrics: pure functions of labels and predictions; scikit-learn is their judge in the tests.

What must sort its rows does so once and then takes `weights`, how often each row counts, so that a bootstrap is cheap.
A metric that is undefined (one class only, nothing to compare) is NaN in the arrays and None at the edge (`defined`).
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


def ratio(numerator: float, denominator: float) -> float:
    """The quotient; NaN over nothing."""
    return float(numerator / denominator) if denominator > 0 else math.nan


@dataclass(frozen=True, slots=True)
class RankedLabels:
    """Binary labels ranked by their scores, once for many weightings.

    Attributes:
        negative: Rows of the negatives by ascending score, int64 [n].
        positive: Rows of the positives, int64 [p].
        below: How many negatives score below each positive, int64 [p].
        not_above: How many score below it or the same, int64 [p].
    """

    negative: NDArray[np.intp]
    positive: NDArray[np.intp]
    below: NDArray[np.intp]
    not_above: NDArray[np.intp]

    @classmethod
    def of(cls, labels: Floats, scores: Floats) -> "RankedLabels":
        """Ranks labels [N] (0 or 1) by scores [N]."""
        positive, negative = np.flatnonzero(labels > 0), np.flatnonzero(labels <= 0)
        negative = negative[np.argsort(scores[negative], kind="stable")]
        ranked, wanted = scores[negative], scores[positive]
        below = np.searchsorted(ranked, wanted, side="left")
        return cls(negative, positive, below, np.searchsorted(ranked, wanted, side="right"))

    def auc(self, weights: Floats) -> float:
        """P(a positive scores above a negative), ties count half; rows count `weights` [N] times. NaN: one class."""
        negatives = np.concatenate(([0], np.cumsum(weights[self.negative])))
        positives = weights[self.positive]
        # Not the product `@`: on long vectors BLAS starts threads, which on a busy machine cost ten times the sum.
        won = (positives * (negatives[self.below] + negatives[self.not_above])).sum() / 2
        return ratio(float(won), float(positives.sum() * negatives[-1]))


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
        return ratio(float(weight @ self.auc), float(weight.sum()))


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


def calibration_bins(predictions: Floats, bins: int = CALIBRATION_BINS) -> NDArray[np.intp]:
    """Each row's bin, from 0, [N]: bins of equal mass, as rare heads would share one bin of equal width.

    Equal predictions are never parted, so some bins may be empty.
    """
    if not len(predictions):
        return np.zeros(0, np.intp)
    edges = np.quantile(predictions, np.arange(1, bins) / bins, method="higher")
    return np.searchsorted(np.unique(edges), predictions, side="right")


def calibration_curve(bins: Integers, labels: Floats, predictions: Floats) -> NDArray[np.float64]:
    """Rows, mean prediction and mean label of each bin that has rows, [bins, 3]."""
    rows = np.bincount(bins)
    kept = rows > 0
    predicted = np.bincount(bins, predictions)[kept] / rows[kept]
    observed = np.bincount(bins, labels)[kept] / rows[kept]
    return np.stack([rows[kept], predicted, observed], axis=1).astype(np.float64)


def calibration_error(gaps: Floats, rows: float) -> float:
    """ECE = Σ_b n_b / n · |mean label - mean prediction| = Σ_b |gap_b| / n. NaN without rows.

    Args:
        gaps: Σ (label - prediction) of each bin, [bins].
        rows: n.

    References:
        Naeini et al., Obtaining Well Calibrated Probabilities Using Bayesian Binning, AAAI 2015. They take bins of
        equal width; equal mass follows Nguyen and O'Connor, EMNLP 2015.
    """
    return ratio(float(np.abs(gaps).sum()), rows)


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
    def of(cls, amounts: Floats, predictions: Floats, rng: np.random.Generator, most: int = 100_000) -> "ComparedPairs":
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
        weight = weights[self.larger] * weights[self.smaller]
        return ratio(float((weight * self.right).sum()), float(weight.sum()))


def rank_of(scores: Floats, target: int, ids: Integers) -> int:
    """0-based rank of candidate `target` by descending score [C]; ties break by ascending id [C], NaN sinks."""
    scores = np.where(np.isnan(scores), -np.inf, scores)
    above = scores > scores[target]
    tied_before = (scores == scores[target]) & (ids < ids[target])
    return int(np.count_nonzero(above | tied_before))


def hits(ranks: Integers | Floats, k: int) -> NDArray[np.float64]:
    """Whether the target is among the first k, [C]; its mean is recall@k of cases with one target."""
    return (ranks < k).astype(np.float64)


def ndcg(ranks: Integers | Floats, k: int) -> NDArray[np.float64]:
    """1 / log2(rank + 2) within the first k, else 0, [C]: the ideal gain of one target is 1."""
    return np.where(ranks < k, 1 / np.log2(ranks + 2.0), 0.0)
