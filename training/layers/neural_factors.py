"""The two halves of neural collaborative filtering: products of factors, and a tower over both sides' embeddings."""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf
import tf_keras as keras

from training.layers.towers import Tower


class Pairs(NamedTuple):
    """Which viewer meets which streamer.

    Attributes:
        user: Row of the viewer, int32 [P].
        streamer: Row of the streamer, int32 [P].
    """

    user: tf.Tensor
    streamer: tf.Tensor


def met(user: tf.Tensor, streamer: tf.Tensor, pairs: Pairs | None) -> tuple[tf.Tensor, tf.Tensor]:
    """Rows of both sides, side by side.

    Args:
        user: [U, D].
        streamer: [M, D].
        pairs: Which rows meet; None = the one viewer meets all streamers, as in serving.

    Returns:
        Both [P, D], or [1, D] and [M, D] to broadcast.
    """
    if pairs is None:
        return user, streamer
    return tf.gather(user, pairs.user), tf.gather(streamer, pairs.streamer)


class GeneralisedFactors(keras.layers.Layer):
    """GMF: h·(p ⊙ q) + b. With all weights 1 it is matrix factorisation.

    References:
        He et al., "Neural Collaborative Filtering", WWW 2017, equations 8 and 9.
    """

    def __init__(self, factors: int) -> None:
        super().__init__(name="generalised_factors")
        scale = keras.initializers.LecunUniform()
        self.h = self.add_weight("h", (1, factors), initializer=scale)
        self.b = self.add_weight("b", (), initializer="zeros")

    def call(self, user: tf.Tensor, streamer: tf.Tensor, pairs: Pairs | None) -> tf.Tensor:
        """float32 [U, factors], [M, factors] → logits, float32 [P] (see `met`)."""
        p, q = met(user * self.h, streamer, pairs)
        return tf.reduce_sum(p * q, axis=-1) + self.b


class PairTower(keras.layers.Layer):
    """MLP: a tower over concat(p, q), its first layer computed once a viewer and once a streamer, not once a pair.

    W·concat(p, q) + b = (W_u·p + b) + W_i·q: with more pairs than rows, as with sampled negatives, most of the work is
    spared.

    References:
        He et al., equation 10.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__(name="pair_tower")
        self.user = keras.layers.Dense(sizes[0], kernel_initializer="he_uniform")
        self.streamer = keras.layers.Dense(sizes[0], use_bias=False, kernel_initializer="he_uniform")
        self.rest = Tower(sizes[1:])
        self.output_layer = keras.layers.Dense(1, kernel_initializer="lecun_uniform")

    def call(self, user: tf.Tensor, streamer: tf.Tensor, pairs: Pairs | None) -> tf.Tensor:
        """float32 [U, D], [M, D] → logits, float32 [P] (see `met`)."""
        p, q = met(self.user(user), self.streamer(streamer), pairs)
        return tf.squeeze(self.output_layer(self.rest(tf.nn.relu(p + q))), axis=-1)
