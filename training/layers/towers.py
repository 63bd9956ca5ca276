"""Towers: stacks of dense layers, and the first layer that joins a viewer with many candidates."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
import tf_keras as keras
from numpy.typing import NDArray


def per_candidate(user: tf.Tensor, slate: tf.Tensor | None) -> tf.Tensor:
    """A user-side row for each candidate.

    Args:
        user: [U, D].
        slate: The candidate's row in `user`, int32 [N], as in training; None = one viewer, whose row
            broadcasts over all candidates, as in serving.

    Returns:
        [N, D], or [1, D] to broadcast.
    """
    return user if slate is None else tf.gather(user, slate)


class Tower(keras.layers.Layer):
    """Dense layers with ReLU, the last one included: [rows, D] → [rows, sizes[-1]]."""

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        self.layers = [keras.layers.Dense(size, activation="relu", kernel_initializer="he_uniform") for size in sizes]

    def call(self, rows: tf.Tensor) -> tf.Tensor:
        """float32 [rows, D] → float32 [rows, sizes[-1]]."""
        for layer in self.layers:
            rows = layer(rows)
        return rows


class UnitTower(keras.layers.Layer):
    """A tower that ends in a vector of length 1: a `Tower` beside a straight path, W·concat(tower(x), x) + b.

    What is bilinear in both sides, such as a taste for contents, takes the straight path, without a hidden layer that
    would have to learn the identity first.
    """

    def __init__(self, sizes: Sequence[int], units: int) -> None:
        super().__init__()
        self.tower = Tower(sizes)
        self.vector = keras.layers.Dense(units)

    def call(self, rows: tf.Tensor) -> tf.Tensor:
        """float32 [rows, D] → float32 [rows, units], rows of length 1."""
        return tf.math.l2_normalize(self.vector(tf.concat([self.tower(rows), rows], axis=-1)), axis=-1)


class JointDense(keras.layers.Layer):
    """A dense layer over concat(user, candidate) that multiplies the user part once a viewer, not once a candidate.

    W·concat(u, c) + b = (W_u·u + b) + W_c·c: the first term is computed on [U, ·] and then spread over the candidates.
    The bias stands there too, as TensorFlow 2.21 breaks the graph when it fuses a biased product, a sum and a ReLU.
    """

    def __init__(self, units: int, activation: str = "linear") -> None:
        super().__init__()
        self.user = keras.layers.Dense(units)
        self.candidate = keras.layers.Dense(units, use_bias=False)
        self.activation = keras.layers.Activation(activation)

    def call(self, user: tf.Tensor, candidate: tf.Tensor, slate: tf.Tensor | None) -> tf.Tensor:
        """float32 [U, D_u], [N, D_c] and int32 [N] (or None, see `per_candidate`) → float32 [N, units]."""
        return self.activation(per_candidate(self.user(user), slate) + self.candidate(candidate))


class JointTower(keras.layers.Layer):
    """A tower over user and candidate: a `JointDense`, then dense layers, all with ReLU."""

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        self.first = JointDense(sizes[0], "relu")
        self.rest = Tower(sizes[1:])

    def call(self, user: tf.Tensor, candidate: tf.Tensor, slate: tf.Tensor | None) -> tf.Tensor:
        """float32 [U, D_u], [N, D_c] and int32 [N] or None → float32 [N, sizes[-1]]."""
        return self.rest(self.first(user, candidate, slate))


class HeadTower(keras.layers.Layer):
    """The tower of one head, whose raw outputs start from what the head is on average.

    Args:
        sizes: Units of its hidden layers.
        prior: What the raw outputs start from, float32 [outputs], see `training.outputs`.
    """

    def __init__(self, sizes: Sequence[int], prior: NDArray[np.float32]) -> None:
        super().__init__()
        self.tower = Tower(sizes)
        self.output_layer = keras.layers.Dense(len(prior))
        self._prior = prior

    def call(self, rows: tf.Tensor) -> tf.Tensor:
        """float32 [N, D] → raw outputs, float32 [N, outputs]."""
        return self.output_layer(self.tower(rows)) + self._prior
