"""Dice: an activation that bends where the data are."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tf_keras as keras

from training.distribution import mean_over_workers

_EPSILON = 1e-8
_LEAST_RATE = 0.01  # Of the running moments: they look back some hundred batches.


class Dice(keras.layers.Layer):
    """s → p·s + (1 − p)·α·s with p = σ((s − E[s]) / √(Var[s] + ε)) and a learnt α a unit.

    Zhou et al., "Deep Interest Network for Click-Through Rate Prediction" (KDD 2018), section 5.3, equation 9. E and
    Var are those of the batch in training, and running means of these else. A running mean weighs its first hundred
    batches alike, so that it is right from the second one on, and by 0.01 each later one.
    """

    def __init__(self, units: int) -> None:
        super().__init__(name="dice")
        self.alpha = self.add_weight("alpha", (units,), initializer="zeros")
        # All workers have the same to add; which one's it is does not matter, but must be said.
        alike: Any = {"trainable": False, "aggregation": tf.VariableAggregation.MEAN}
        self.mean = self.add_weight("mean", (units,), initializer="zeros", **alike)
        self.variance = self.add_weight("variance", (units,), initializer="ones", **alike)
        self.batches = self.add_weight("batches", (), initializer="zeros", **alike)

    def call(self, values: tf.Tensor, training: bool = False) -> tf.Tensor:
        """float32 [..., units] → float32 [..., units].

        Args:
            values: The sums s. In training, [rows, units]; a batch without a row leaves the running moments as they
                are.
            training: Whether to take the moments of these values, and to remember them.
        """
        mean, variance = self._moments(values) if training else (self.mean, self.variance)
        gate = tf.sigmoid((values - mean) * tf.math.rsqrt(variance + _EPSILON))
        return values * (self.alpha + (1.0 - self.alpha) * gate)

    def _moments(self, values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Mean and variance [units] of rows [rows, units], of all workers', which the running ones follow."""
        count = mean_over_workers(tf.cast(tf.shape(values)[0], tf.float32))
        mean = tf.math.divide_no_nan(mean_over_workers(tf.reduce_sum(values, axis=0)), count)
        squares = tf.reduce_sum(tf.math.squared_difference(values, mean), axis=0)
        variance = tf.math.divide_no_nan(mean_over_workers(squares), count)
        seen = tf.cast(count > 0, tf.float32)
        rate = seen * tf.maximum(_LEAST_RATE, 1.0 / (self.batches + 1.0))
        self.batches.assign_add(seen)
        self.mean.assign_add(rate * (tf.stop_gradient(mean) - self.mean))
        self.variance.assign_add(rate * (tf.stop_gradient(variance) - self.variance))
        return mean, variance


class DiceTower(keras.layers.Layer):
    """Dense layers with Dice, the last one included: [rows, D] → [rows, sizes[-1]]."""

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        self.layers = [keras.layers.Dense(size) for size in sizes]
        self.dices = [Dice(size) for size in sizes]

    def call(self, rows: tf.Tensor, training: bool = False) -> tf.Tensor:
        """float32 [..., D] → float32 [..., sizes[-1]]; see `Dice` of `training`."""
        for layer, dice in zip(self.layers, self.dices, strict=True):
            rows = dice(layer(rows), training)
        return rows
