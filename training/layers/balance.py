"""Balance: how the losses of a ranker's heads become one."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import tensorflow as tf
import tf_keras as keras

from training.layers.surgery import Gradient, joined

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
        return tf.add_n(self._weighed(losses))

    def parts(self, losses: Losses, penalty: tf.Tensor | None) -> list[tf.Tensor]:
        """The losses by head and what is added to them → what gradients are taken of apart, scalars."""
        return [self(losses) if penalty is None else self(losses) + penalty]

    def joined(self, gradients: Sequence[Sequence[Gradient]], step: tf.Tensor) -> Sequence[Gradient]:  # noqa: ARG002
        """The gradients of the parts → one of each variable.

        Args:
            gradients: Of each part and each variable.
            step: Number of the step, int64 scalar.
        """
        return gradients[0]

    def _weighed(self, losses: Losses) -> list[tf.Tensor]:
        return [self._weights[head] * loss for head, loss in losses.items()]


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


class SurgeryBalance(FixedBalance):
    """Σ w_k · L_k, whose gradients lose what points against another head's; see `training.layers.surgery`.

    It takes a pass back a head in place of one.
    """

    def parts(self, losses: Losses, penalty: tf.Tensor | None) -> list[tf.Tensor]:
        """The losses by head → w_k · L_k each, and what is added to them, scalars."""
        return self._weighed(losses) + ([] if penalty is None else [penalty])

    def joined(self, gradients: Sequence[Sequence[Gradient]], step: tf.Tensor) -> Sequence[Gradient]:
        """The gradients of the heads, freed of their conflicts, and of what is added → one of each variable."""
        return joined(gradients, len(self._weights), step)


BALANCES = MappingProxyType({"fixed": FixedBalance, "uncertainty": UncertaintyBalance, "surgery": SurgeryBalance})
"""By the name in a run's configuration, `training.balance`."""
