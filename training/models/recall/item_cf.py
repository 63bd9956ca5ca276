"""Item-based CF: the streamers most alike, by who watched them, to those that a viewer watched.

    score(j) = Σ_i w_i · sim(i, j) / (Σ_k sim(i, k))^c

over the streamers i of the history, each with its worth w of `HistoryWorth`, and j and k among the nearest of i, itself
included: whoever watched a streamer often is likeliest to come back; c is `normalise`. Similarities are those of
`training.collaborative.similarity`. A neighbour table and its similarity normalisation, so that a streamer whom
everybody watches says no more than one with few neighbours, of Deshpande and Karypis, "Item-Based Top-N Recommendation
Algorithms" (TOIS 2004).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from feature_service.features.layout import CANDIDATE_IDS
from training.collaborative.interactions import Interactions, Worth
from training.collaborative.similarity import Similarity, neighbours
from training.layers.blueprint import HISTORY_TENSORS, Blueprint
from training.layers.known_keys import KnownKeys
from training.layers.visits import HistoryWorth
from training.models.recall.base import STREAMER, Solution, SolvedRecall, table
from training.models.signatures import Signature

_NOBODY = 1 << 30
"""More than any step."""


@dataclass(frozen=True, slots=True)
class ItemCfOptions:
    """Constants of item-based CF.

    Attributes:
        similarity: One of `training.collaborative.similarity.SIMILARITIES`.
        neighbours: Kept of each streamer.
        shrink: See `Similarity`.
        damping: See `Similarity`.
        bm25_k1: See `Similarity`.
        bm25_b: See `Similarity`.
        weight: One of `training.collaborative.interactions.WEIGHTS`: what a day with a streamer is worth.
        cap_s: Longest watch of a day that counts, seconds.
        half_life_days: Of a day's worth, in what similarities are made of.
        recent_half_life_days: And in the history of the viewer that is asked for.
        normalise: The exponent c, from 0, which takes similarities as they are, to 1, with which rows sum to 1.
        itself: Factor of a streamer's similarity to itself: below 1 it favours streamers new to the viewer.
        found: M, how many streamers an answer holds.
    """

    similarity: str = "cosine"
    neighbours: int = 200
    shrink: float = 1.0
    damping: float = 0.5
    bm25_k1: float = 5.0
    bm25_b: float = 0.8
    weight: str = "watch"
    cap_s: float = 14_400.0
    half_life_days: float = 90.0
    recent_half_life_days: float = 30.0
    normalise: float = 0.0
    itself: float = 1.0
    found: int = 500

    def __post_init__(self) -> None:
        """Checks names, exponent and factor.

        Raises:
            ValueError: A name is unknown, the exponent not between 0 and 1, or the factor not a number above 0.
        """
        _ = self.how, self.worth
        if not 0 <= self.normalise <= 1:
            raise ValueError(f"normalise: expected a number between 0 and 1, received {self.normalise}")
        if not 0 < self.itself < math.inf:
            raise ValueError(f"itself: expected a number above 0, received {self.itself}")

    @property
    def how(self) -> Similarity:
        """The similarity."""
        return Similarity(self.similarity, self.neighbours, self.shrink, self.damping, self.bm25_k1, self.bm25_b)

    @property
    def worth(self) -> Worth:
        """What visits are worth to the similarities."""
        return Worth(self.weight, self.cap_s, self.half_life_days)


class ItemCf(SolvedRecall):
    """A neighbour table, and the sum over a history in the graph.

    Attributes:
        streamers: The streamers that are known, S of them.
        rows: Nearest of each, itself first, int32 [S + 1, 1 + K]; S where there is none, as in all of row S.
        scores: Their similarity, the first times `itself`, float32 [S + 1, 1 + K].
        weights: What each row is multiplied by, float32 [S + 1].
    """

    Options = ItemCfOptions

    def __init__(self, blueprint: Blueprint, options: ItemCfOptions, solution: Solution) -> None:
        super().__init__(blueprint, options, solution)
        self.streamers = KnownKeys(solution["streamers"])
        self.rows = table(solution["rows"], "rows")
        scores = solution["scores"] * np.where(np.arange(solution["scores"].shape[1]) > 0, 1.0, options.itself)
        sums = scores.sum(axis=1)
        self.scores = table(scores.astype(np.float32), "scores")
        weights = np.power(sums, -options.normalise, out=np.zeros_like(sums), where=sums > 0)
        self.weights = table(weights.astype(np.float32), "weights")
        self.history = HistoryWorth(self.layout, Worth(options.weight, options.cap_s, options.recent_half_life_days))
        self._found, self._streamer = options.found, self.layout[CANDIDATE_IDS].slices()[STREAMER].start

    @classmethod
    def solve(cls, interactions: Interactions, options: ItemCfOptions, seed: int) -> Solution:  # noqa: ARG003
        """The nearest of every streamer; nothing is drawn."""
        watched = interactions.matrix(options.worth)
        nearest = neighbours(watched.worth, options.how)
        count = len(watched.streamers)
        rows = np.where(nearest.rows < 0, count, nearest.rows).astype(np.int32)
        width = rows.shape[1]
        return {
            "streamers": watched.streamers,
            "rows": np.concatenate([rows, np.full((1, width), count, np.int32)]),
            "scores": np.concatenate([nearest.scores, np.zeros((1, width), np.float32)]),
        }

    def found(self, tensors: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Packed sequences of U viewers → the M best streamers of each.

        Returns:
            `streamer` int64 [U, M], keys, best first, 0 where there is none (ties by the newest watched, then by
            likeness to it); `score` float32 [U, M]; `because` int64 [U, M], the watched streamer that adds most to it.
        """
        keys = self.history.keys(tensors)
        watched = self.streamers.rows(keys)
        worth = self.history(tensors) * tf.gather(self.weights, watched)
        shape = tf.shape(keys)
        viewers, steps = shape[0], shape[1]
        near = tf.cast(tf.gather(self.rows, watched), tf.int64)
        each = worth[:, :, tf.newaxis] * tf.gather(self.scores, watched)
        nobody = tf.constant(self.streamers.count, tf.int64)
        # A cell is a viewer with a streamer; numbered in order of first mention, those of a viewer stay together.
        cells = near + (nobody + 1) * tf.range(tf.cast(viewers, tf.int64))[:, tf.newaxis, tf.newaxis]
        cell, place = tf.unique(tf.reshape(cells, [-1]), out_idx=tf.int64)
        count, flat = tf.size(cell, tf.int64), tf.reshape(each, [-1])
        scores = tf.math.unsorted_segment_sum(flat, place, count)
        best = tf.gather(tf.math.unsorted_segment_max(flat, place, count), place) == flat
        step = tf.reshape(tf.broadcast_to(tf.range(steps)[tf.newaxis, :, tf.newaxis], tf.shape(near)), [-1])
        reason = tf.math.unsorted_segment_min(tf.where(best, step, _NOBODY), place, count)
        viewer, row = cell // (nobody + 1), cell % (nobody + 1)
        scores = tf.where(row < nobody, scores, 0.0)
        first = tf.searchsorted(viewer, tf.range(tf.cast(viewers, tf.int64)), out_type=tf.int64)
        column = tf.range(count) - tf.gather(first, viewer)
        return self._best(viewers, keys, (viewer, column), scores, row, reason)

    def _best(
        self,
        viewers: tf.Tensor,
        keys: tf.Tensor,
        at: tuple[tf.Tensor, tf.Tensor],
        scores: tf.Tensor,
        row: tf.Tensor,
        reason: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        """The M best cells of each viewer, from cells at (viewer, column) [cells] with score, row and step."""
        index = tf.stack(at, axis=-1)
        width = tf.maximum(tf.reduce_max(at[1]) + 1, self._found)
        size = tf.stack([tf.cast(viewers, tf.int64), width])
        top = tf.math.top_k(tf.scatter_nd(index, scores, size), self._found)
        rows = tf.scatter_nd(index, row - self.streamers.count, size) + self.streamers.count
        rows = tf.gather(rows, top.indices, batch_dims=1)
        steps = tf.gather(tf.scatter_nd(index, reason, size), top.indices, batch_dims=1)
        real = top.values > 0
        return {
            "streamer": tf.where(real, self.streamers.of_rows(rows), 0),
            "score": top.values,
            "because": tf.where(real, tf.gather(keys, steps, batch_dims=1), 0),
        }

    def similar(self, tensors: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Packed ids of N rooms → the K nearest of their streamers, without these themselves.

        Returns:
            `streamer` int64 [N, K], keys, best first, 0 where there is none; `score` float32 [N, K].
        """
        rows = self.streamers.rows(tensors[CANDIDATE_IDS][:, self._streamer])
        near = tf.cast(tf.gather(self.rows, rows)[:, 1:], tf.int64)
        return {"streamer": self.streamers.of_rows(near), "score": tf.gather(self.scores, rows)[:, 1:]}

    def signatures(self) -> dict[str, Signature]:
        """`serving_default` and `similar`."""
        return {
            "serving_default": Signature(self.layout.select(HISTORY_TENSORS), self.found),
            "similar": Signature(self.layout.select([CANDIDATE_IDS]), self.similar),
        }
