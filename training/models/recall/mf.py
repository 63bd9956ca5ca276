"""Matrix factorisation: viewers and streamers as vectors whose product ranks the rooms on air.

The vectors are those of `training.collaborative.factorisation`. A viewer is folded in: their vector is what one more
half-step of the alternation gives for the history at hand, so it knows what was watched a minute ago, and nobody needs
to have been there in training (Hu, Koren and Volinsky, ICDM 2008, equation 4):

    x = (YᵀY + λI + Σ_i α w_i y_i y_iᵀ)⁻¹ Σ_i (1 + α w_i) y_i

over the streamers i of the history, with their worth w of `HistoryWorth`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from feature_service.features.layout import CANDIDATE_IDS, USER_IDS
from training.collaborative.factorisation import Factorisation, factorise
from training.collaborative.interactions import Interactions, Worth
from training.layers.blueprint import HISTORY_TENSORS, Blueprint
from training.layers.known_keys import KnownKeys
from training.layers.visits import HistoryWorth, newest
from training.models.recall.base import STREAMER, VIEWER, Solution, SolvedRecall, table
from training.models.signatures import Signature


@dataclass(frozen=True, slots=True)
class MatrixFactorisationOptions:
    """Constants of matrix factorisation.

    Attributes:
        factors: See `Factorisation`; at most, see `streamers_per_factor`.
        streamers_per_factor: So many streamers at least are there to each factor: with more factors a small world is
            learnt by heart, and nobody new is found. (Four hundred simulated streamers, NDCG@5 on streamers new to the
            viewer: .10 with 32 factors, .02 with 128.)
        regularisation: See `Factorisation`.
        alpha: See `Factorisation`.
        iterations: See `Factorisation`.
        weight: One of `training.collaborative.interactions.WEIGHTS`: what a day with a streamer is worth.
        cap_s: Longest watch of a day that counts, seconds.
        half_life_days: Of a day's worth, in what the vectors are solved from.
        recent_half_life_days: And in the history of the viewer that is folded in.
    """

    factors: int = 192
    streamers_per_factor: int = 9
    regularisation: float = 10.0
    alpha: float = 10.0
    iterations: int = 15
    weight: str = "watch"
    cap_s: float = 14_400.0
    half_life_days: float = 90.0
    recent_half_life_days: float = 10.0

    def __post_init__(self) -> None:
        """Checks the name of the weight.

        Raises:
            ValueError: It is unknown.
        """
        _ = self.worth

    @property
    def worth(self) -> Worth:
        """What visits are worth to the factorisation."""
        return Worth(self.weight, self.cap_s, self.half_life_days)


class MatrixFactorisation(SolvedRecall):
    """Both matrices, and the fold-in in the graph.

    Attributes:
        streamers: The streamers that are known, S of them.
        streamer_vectors: float32 [S + 1, D]; zeros in the last row.
        gram: YᵀY + λI, float32 [D, D].
        viewers: The viewers that are known, V of them; None if the layout does not tell who asks.
        viewer_vectors: float32 [V + 1, D]; zeros in the last row.
    """

    Options = MatrixFactorisationOptions

    def __init__(self, blueprint: Blueprint, options: MatrixFactorisationOptions, solution: Solution) -> None:
        super().__init__(blueprint, options, solution)
        self.streamers = KnownKeys(solution["streamers"])
        vectors = solution["streamer_vectors"].astype(np.float64)
        gram = vectors.T @ vectors + options.regularisation * np.eye(vectors.shape[1])
        self.gram = table(gram.astype(np.float32), "gram")
        self.streamer_vectors = table(_ended(solution["streamer_vectors"]), "streamer_vectors")
        self.history = HistoryWorth(self.layout, Worth(options.weight, options.cap_s, options.recent_half_life_days))
        self._streamer = self.layout[CANDIDATE_IDS].slices()[STREAMER].start
        ids = self.layout[USER_IDS].slices() if USER_IDS in self.layout else {}
        self._viewer = ids[VIEWER].start if VIEWER in ids else 0
        self.viewers = KnownKeys(solution["viewers"]) if VIEWER in ids else None
        self.viewer_vectors = table(_ended(solution["viewer_vectors"]), "viewer_vectors") if VIEWER in ids else None

    @classmethod
    def solve(cls, interactions: Interactions, options: MatrixFactorisationOptions, seed: int) -> Solution:
        """Both matrices."""
        watched = interactions.matrix(options.worth)
        factors = min(options.factors, max(len(watched.streamers) // options.streamers_per_factor, 1))
        how = Factorisation(factors, options.regularisation, options.alpha, options.iterations)
        found = factorise(watched, how, seed)
        return {
            "streamers": watched.streamers,
            "viewers": watched.users,
            "streamer_vectors": found.streamers,
            "viewer_vectors": found.users,
        }

    def user(self, tensors: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Packed sequences (and ids) of U viewers → `vector` float32 [U, D].

        Where no streamer of the history is known, it is the viewer's own vector if the ids tell of one, else zeros.
        """
        keys, worth = self.history.keys(tensors), self.history(tensors)
        rows = self.streamers.rows(keys)
        known = tf.cast(rows < self.streamers.count, tf.float32)
        weight = self.options.alpha * worth * known
        vectors = tf.gather(self.streamer_vectors, rows)
        gram = self.gram + tf.matmul(vectors * weight[:, :, tf.newaxis], vectors, transpose_a=True)
        wanted = tf.reduce_sum(vectors * (weight + known * newest(keys))[:, :, tf.newaxis], axis=1)
        folded = tf.linalg.cholesky_solve(tf.linalg.cholesky(gram), wanted[:, :, tf.newaxis])[:, :, 0]
        if self.viewers is None or self.viewer_vectors is None:
            return {"vector": folded}
        own = tf.gather(self.viewer_vectors, self.viewers.rows(tensors[USER_IDS][:, self._viewer]))
        return {"vector": tf.where(tf.reduce_any(known > 0, axis=1, keepdims=True), folded, own)}

    def room(self, tensors: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Packed ids of N rooms → `vector` float32 [N, D]; zeros of a streamer who is not known."""
        rows = self.streamers.rows(tensors[CANDIDATE_IDS][:, self._streamer])
        return {"vector": tf.gather(self.streamer_vectors, rows)}

    def signatures(self) -> dict[str, Signature]:
        """`user` and `room`."""
        sides = [*HISTORY_TENSORS, *([USER_IDS] if self.viewers else [])]
        user = Signature(self.layout.select(sides), self.user)
        return {
            "user": user,
            "room": Signature(self.layout.select([CANDIDATE_IDS]), self.room),
            "serving_default": user,
        }


def _ended(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The vectors, and zeros for the row of all others."""
    return np.concatenate([vectors, np.zeros((1, vectors.shape[1]), np.float32)])
