"""The protocol of Neural Collaborative Filtering: the withheld item's rank among 99 negatives, and among all items.

He et al., "Neural Collaborative Filtering" (WWW 2017), section 4.1. Sampled ranks put models in another order than full
ones do (Krichene and Rendle, "On Sampled Metrics for Item Recommendation", KDD 2020): read both.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from training.compare.ncf_data import NcfData
from training.metrics import hits, ndcg

K = 10
_BATCH = 512


class NcfScorer(Protocol):
    """Scores all items for some users."""

    def __call__(self, users: NDArray[np.int64], /) -> NDArray[np.floating]:
        """Scores [B, I] of the users [B]; higher is better."""
        ...


@dataclass(frozen=True, slots=True)
class NcfScores:
    """How high a model puts the withheld items; means over users. NDCG with one relevant item.

    Attributes:
        hit_rate: HR@10 among the given negatives.
        ndcg: NDCG@10 among the given negatives.
        full_hit_rate: HR@10 among all items that the user did not rate in training.
        full_ndcg: NDCG@10 among them.
    """

    hit_rate: float
    ndcg: float
    full_hit_rate: float
    full_ndcg: float


def measure_ncf(data: NcfData, scorer: NcfScorer) -> NcfScores:
    """Ranks each user's target among its negatives, and among all items that the user did not rate.

    Items of equal score share the mean of their ranks, so that an order of rows tells nothing; a score that is no
    number stands last.

    Raises:
        ValueError: The scorer does not give one score an item.
    """
    ranks = np.concatenate(
        [
            _ranks(data, scorer, np.arange(start, min(start + _BATCH, data.users)))
            for start in range(0, data.users, _BATCH)
        ]
    )
    hit, gain = (metric(ranks, K).mean(axis=0) for metric in (hits, ndcg))
    return NcfScores(float(hit[0]), float(gain[0]), float(hit[1]), float(gain[1]))


def _ranks(data: NcfData, scorer: NcfScorer, users: NDArray[np.int64]) -> NDArray[np.float64]:
    """0-based ranks of the targets, among the given negatives and among all unrated items, [B, 2]."""
    scores = scorer(users).astype(np.float64)
    if scores.shape != (len(users), data.items):
        raise ValueError(f"scorer: expected scores of shape {(len(users), data.items)}, received {scores.shape}")
    scores[np.isnan(scores)] = -np.inf
    rows = np.arange(len(users))[:, np.newaxis]
    target = scores[rows, data.target[users, np.newaxis]]
    sampled = rank_among(scores[rows, data.negatives[users]], target)
    start, stop = np.searchsorted(data.user, [users[0], users[-1] + 1])
    rated = np.zeros(scores.shape, np.bool_)
    rated[data.user[start:stop] - users[0], data.item[start:stop]] = True
    rated[rows, data.target[users, np.newaxis]] = True
    return np.column_stack([sampled, rank_among(np.where(rated, np.nan, scores), target)])


def rank_among(others: NDArray[np.floating], target: NDArray[np.floating]) -> NDArray[np.float64]:
    """0-based rank of scores [B, 1] among others [B, C]; half of those that tie stand before, a NaN is left out."""
    return (others > target).sum(axis=1) + (others == target).sum(axis=1) / 2
