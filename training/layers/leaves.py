"""Leaves: the linear model over the one-hot leaves of trees."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf
import tf_keras as keras

from training.boosting import Forest


class LeafWeights(keras.layers.Layer):
    """Σ_t w_{t, leaf_t}: the product of the leaves' one-hot vectors with their weights, read as a sum of rows.

    He et al., "Practical Lessons from Predicting Clicks on Ads at Facebook" (ADKDD 2014), section 3.1, equation 2.

    The one-hot vectors of G trees are scaled to length 1 together, so that a step of the optimiser moves the sum by
    √G and not by G times what it moves a weight. A tree that is padding has no part in it.
    """

    def __init__(self, trees: int, leaves: int, outputs: int) -> None:
        """Starts with weights of 0.

        Args:
            trees: T.
            leaves: Leaves a tree, L.
            outputs: Raw outputs.
        """
        super().__init__(name="leaf_weights")
        self._first = np.arange(trees, dtype=np.int32) * leaves
        self.table = self.add_weight("table", (trees, leaves, outputs), initializer="zeros")
        self.scale = tf.Variable(tf.zeros([trees]), trainable=False, name="scale")

    def start(self, forests: Mapping[int, Forest]) -> None:
        """Sets w to what the trees were grown to add.

        Args:
            forests: The trees in their order, by the raw output that they were grown for.
        """
        grown = np.concatenate([forest.grown for forest in forests.values()])
        scale = grown / np.sqrt(max(grown.sum(), 1.0))
        table, first = np.zeros(self.table.shape, np.float32), 0
        for output, forest in forests.items():
            table[first : first + len(forest.values), :, output] = forest.values
            first += len(forest.values)
        self.scale.assign(scale)
        self.table.assign(table / np.where(grown, scale, 1.0)[:, np.newaxis, np.newaxis])

    def call(self, leaves: tf.Tensor) -> tf.Tensor:
        """Numbers of the leaves uint8 [N, T] → float32 [N, outputs]."""
        weights = self.table * self.scale[:, tf.newaxis, tf.newaxis]
        rows = tf.cast(leaves, tf.int32) + self._first
        return tf.reduce_sum(tf.gather(tf.reshape(weights, [-1, weights.shape[-1]]), rows), axis=1)
