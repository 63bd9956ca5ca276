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
        if training:
            return _with_moments(values, tf.convert_to_tensor(self.alpha), *self._moments(values))
        gate = tf.sigmoid((values - self.mean) * tf.math.rsqrt(self.variance + _EPSILON))
        return values * (self.alpha + (1.0 - self.alpha) * gate)

    def _moments(self, values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Count, mean and variance [units] of rows [rows, units], of all workers', which the running ones follow.

        The count is that of rows a worker. No gradient goes through: `_with_moments` has it.
        """
        values = tf.stop_gradient(values)
        count = mean_over_workers(tf.cast(tf.shape(values)[0], tf.float32))
        mean = tf.math.divide_no_nan(mean_over_workers(tf.reduce_sum(values, axis=0)), count)
        squares = tf.reduce_sum(tf.math.squared_difference(values, mean), axis=0)
        variance = tf.math.divide_no_nan(mean_over_workers(squares), count)
        seen = tf.cast(count > 0, tf.float32)
        rate = seen * tf.maximum(_LEAST_RATE, 1.0 / (self.batches + 1.0))
        self.batches.assign_add(seen)
        self.mean.assign_add(rate * (mean - self.mean))
        self.variance.assign_add(rate * (variance - self.variance))
        return count, mean, variance


@tf.custom_gradient
def _with_moments(values: tf.Tensor, alpha: tf.Tensor, count: tf.Tensor, mean: tf.Tensor, variance: tf.Tensor) -> Any:
    """Dice with the moments of these values, and its gradient in closed form.

    With r = 1/√(Var[s] + ε), z = (s − E[s])·r, a gate α + (1 − α)·p, the gradient g of the result, and
    q = g·s·p·(1 − p):

        ∂s = g·(α + (1 − α)·p) + (1 − α)·r·(q − E[q] − z·E[q·z]),    ∂α = Σ g·s·(1 − p)

    where what is taken off q is the part of the moments, as in Ioffe and Szegedy, "Batch Normalization" (ICML 2015),
    section 3. TensorFlow's own gradient of the same passes over the rows more often, and takes a third longer.

    Args:
        values: The sums s, float32 [rows, units].
        alpha: float32 [units].
        count: Mean number of rows of the workers, float32 scalar.
        mean: E[s] over the rows of all workers, float32 [units].
        variance: Var[s], float32 [units].
    """
    scale = tf.math.rsqrt(variance + _EPSILON)
    normal = (values - mean) * scale
    probability = tf.sigmoid(normal)
    gate = alpha + (1.0 - alpha) * probability

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor | None, ...]:
        of_gate = upstream * values
        of_normal = tf.raw_ops.SigmoidGrad(y=probability, dy=of_gate)
        sums = mean_over_workers(
            tf.stack([tf.reduce_sum(of_normal, axis=0), tf.reduce_sum(of_normal * normal, axis=0)])
        )
        shift, slope = tf.unstack(tf.math.divide_no_nan(sums, count))
        factor = (1.0 - alpha) * scale
        of_values = tf.add_n([upstream * gate, of_normal * factor, normal * (-factor * slope)]) - factor * shift
        return of_values, tf.reduce_sum(of_gate * (1.0 - probability), axis=0), None, None, None

    return values * gate, gradient


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
