"""Crosses: products of features, which sums of dense layers learn slowly."""

import tensorflow as tf
import tf_keras as keras

from training.layers.towers import per_candidate


class Match(keras.layers.Layer):
    """How well viewer and candidate go together: the elementwise product of their projections.

    (P_u u) ⊙ (P_c c), the generalised factorisation of He et al., "Neural Collaborative Filtering" (WWW 2017),
    equation 8, over whole feature rows instead of ids. The viewer is projected once.
    """

    def __init__(self, size: int) -> None:
        super().__init__(name="match")
        self.user = keras.layers.Dense(size)
        self.candidate = keras.layers.Dense(size)

    def call(self, user: tf.Tensor, candidate: tf.Tensor, slate: tf.Tensor | None) -> tf.Tensor:
        """float32 [U, D_u], [N, D_c] and int32 [N] or None → float32 [N, size]."""
        return per_candidate(self.user(user), slate) * self.candidate(candidate)
