"""Linear terms: a weight for each feature and raw output."""

import tensorflow as tf
import tf_keras as keras

from training.layers.fields import Fields
from training.layers.towers import per_candidate


class LinearSums(keras.layers.Layer):
    """b + Σ_j w_j x_j over the features of both sides, the user's sum once a viewer.

    The vector of an id is the row of its weights, one a raw output; the numbers' weights start from 0, as those do.
    """

    def __init__(self, outputs: int) -> None:
        """Takes the number of raw outputs."""
        super().__init__(name="linear")
        self.user = keras.layers.Dense(outputs, kernel_initializer="zeros")
        self.candidate = keras.layers.Dense(outputs, use_bias=False, kernel_initializer="zeros")

    def call(self, user: Fields, candidate: Fields, slate: tf.Tensor | None) -> tf.Tensor:
        """`Fields` of U and N rows, their vectors of `outputs` numbers, and int32 [N] or None → [N, outputs]."""
        once = self.user(user.numbers) + tf.reduce_sum(user.vectors, axis=-2)
        return (
            per_candidate(once, slate) + self.candidate(candidate.numbers) + tf.reduce_sum(candidate.vectors, axis=-2)
        )
