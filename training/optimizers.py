"""Optimisers: Adam in fused kernels, over all rows of a table or over those that a batch has."""

from collections.abc import Iterable
from typing import Any

import tensorflow as tf
import tf_keras as keras


class FusedAdam(keras.optimizers.Adam):
    """Adam, each variable in one kernel.

    Kingma and Ba, "Adam: A Method for Stochastic Optimization" (ICLR 2015), algorithm 1, in the order of operations at
    the end of its section 2:

        m ← β₁m + (1 − β₁)g,   v ← β₂v + (1 − β₂)g²,   θ ← θ − α√(1 − β₂ᵗ)/(1 − β₁ᵗ) · m/(√v + ε)

    The numbers are those of `keras.optimizers.Adam`, which makes some fifteen passes over a variable where one does.
    The gradient of an embedding table is summed up into a dense one: all its rows move by their momentum, whether the
    batch has them or not, as in the paper.
    """

    def apply_gradients(self, grads_and_vars: Iterable[Any], name: str | None = None, **kwargs: Any) -> tf.Variable:
        """One step; see the base class, which would sort out the rows of a table's gradient and then pass over all."""
        return super().apply_gradients(
            [(_dense(g, variable), variable) for g, variable in grads_and_vars], name, **kwargs
        )

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable) -> None:
        """One step of one variable."""
        place = self._index_dict[self._var_key(variable)]
        beta_1, beta_2 = (tf.constant(beta, variable.dtype) for beta in (self.beta_1, self.beta_2))
        step = tf.cast(self.iterations + 1, variable.dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[place].handle,
            v=self._velocities[place].handle,
            beta1_power=beta_1**step,
            beta2_power=beta_2**step,
            lr=tf.cast(self.learning_rate, variable.dtype),
            beta1=beta_1,
            beta2=beta_2,
            epsilon=tf.constant(self.epsilon, variable.dtype),
            grad=gradient,
        )


class LazyAdam(FusedAdam):
    """Adam whose step moves only the rows of a table that the batch has.

    That is algorithm 1 on these rows, with t the number of all steps; the other rows keep their moments as they are
    and stay where they are, where Adam lets the moments fade and moves the rows on by them. A step costs what the batch
    holds and not what the table holds, which wins where tables are much larger than batches.
    """

    def apply_gradients(self, grads_and_vars: Iterable[Any], name: str | None = None, **kwargs: Any) -> tf.Variable:
        """One step; the base class of both sums up what a gradient has of one row."""
        return keras.optimizers.Adam.apply_gradients(self, grads_and_vars, name, **kwargs)

    def update_step(self, gradient: tf.Tensor | tf.IndexedSlices, variable: tf.Variable) -> None:
        """One step of one variable."""
        if not isinstance(gradient, tf.IndexedSlices):
            super().update_step(gradient, variable)
            return
        place, rows, g = self._index_dict[self._var_key(variable)], gradient.indices, gradient.values
        m, v = self._momentums[place], self._velocities[place]
        beta_1, beta_2 = (tf.constant(beta, variable.dtype) for beta in (self.beta_1, self.beta_2))
        step = tf.cast(self.iterations + 1, variable.dtype)
        rate = tf.cast(self.learning_rate, variable.dtype) * tf.sqrt(1 - beta_2**step) / (1 - beta_1**step)
        first = beta_1 * tf.gather(m, rows) + (1 - beta_1) * g
        second = beta_2 * tf.gather(v, rows) + (1 - beta_2) * g**2
        m.scatter_update(tf.IndexedSlices(first, rows))
        v.scatter_update(tf.IndexedSlices(second, rows))
        variable.scatter_sub(tf.IndexedSlices(rate * first / (tf.sqrt(second) + self.epsilon), rows))


def _dense(gradient: Any, variable: tf.Variable) -> Any:
    """The gradient with a row a row of the variable; None where the loss does not depend on it."""
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    return tf.math.unsorted_segment_sum(gradient.values, gradient.indices, variable.shape[0])
