"""Balance: how the losses of a ranker's heads become one."""

from collections.abc import Mapping
from types import MappingProxyType

import tensorflow as tf
import tf_keras as keras

Losses = Mapping[str, tf.Tensor]
"""The loss of each head, scalars."""


class FixedBalance(keras.layers.Layer):
    """Σ w_k · L_k with the weights of the configuration."""

    def __init__(self, weights: Mapping[str, float]) -> None:
        """Takes the weight of each head."""
        super().__init__(name="balance")
        self._weights = dict(weights)

    def call(self, losses: Losses) -> tf.Tensor:
        """The losses by head → one, scalar."""
        return self.fixed(losses)

    def fixed(self, losses: Losses) -> tf.Tensor:
        """Σ w_k · L_k, scalar: what epochs are compared by, whatever the balance."""
        return tf.add_n([self._weights[head] * loss for head, loss in losses.items()])


class UncertaintyBalance(FixedBalance):
    """Σ w_k · (exp(−s_k) · L_k + s_k / 2) with a learnt s_k = log σ_k² a head: a noisy head counts less.

    Kendall, Gal and Cipolla, "Multi-Task Learning Using Uncertainty to Weigh Losses" (CVPR 2018, arXiv:1705.07115),
    equation 10, in the form for classification.
    """

    def __init__(self, weights: Mapping[str, float]) -> None:
        """Takes the weight of each head."""
        super().__init__(weights)
        self.log_variance = {head: self.add_weight(f"log_variance_{head}", (), initializer="zeros") for head in weights}

    def call(self, losses: Losses) -> tf.Tensor:
        """The losses by head → one, scalar."""
        weighed = {head: tf.exp(-s) * losses[head] + s / 2 for head, s in self.log_variance.items()}
        return self.fixed(weighed)


BALANCES = MappingProxyType({"fixed": FixedBalance, "uncertainty": UncertaintyBalance})
"""By the name in a run's configuration, `training.balance`."""
