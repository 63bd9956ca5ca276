"""Trees: a grown forest as ordinary graph ops that any TensorFlow Serving runs."""

from functools import reduce

import numpy as np
import tensorflow as tf
import tf_keras as keras

from training.boosting import Forest
from training.layers.towers import per_candidate


class Trees(keras.layers.Layer):
    """The leaf that each row falls on in each of T trees, without walking down: all splits are compared at once.

    A split that sends a row right rules out the leaves below its left side; of the leaves that no split rules out, the
    first is the row's. The set of leaves is an int32, ruling out an AND, the first leaf the lowest bit: Lucchese et
    al., "QuickScorer" (SIGIR 2015), section 3, in which we depart in not sorting the splits by value. An AND of ANDs
    parts by sides: what a viewer's values rule out is computed once a viewer.

    Attributes:
        leaves: Leaves a tree, L.
        forest: The forest's arrays, as variables, see `training.boosting.Forest`.
    """

    def __init__(self, trees: int, leaves: int) -> None:
        """Starts with trees of one leaf; `start` takes the grown ones."""
        super().__init__(name="trees")
        self.leaves = leaves
        blank = Forest.blank(trees, leaves)
        self.columns = tf.Variable(tf.constant(blank.columns), trainable=False, name="columns")
        self.thresholds = tf.Variable(tf.constant(blank.thresholds), trainable=False, name="thresholds")
        self.missing_left = tf.Variable(tf.constant(blank.missing_left), trainable=False, name="missing_left")
        self.kept = tf.Variable(tf.constant(blank.kept), trainable=False, name="kept")

    def start(self, forest: Forest) -> None:
        """Takes a grown forest of as many trees, whose columns are the user's and then the candidate's."""
        self.columns.assign(forest.columns)
        self.thresholds.assign(forest.thresholds)
        self.missing_left.assign(forest.missing_left)
        self.kept.assign(forest.kept)

    def call(self, user: tf.Tensor, candidate: tf.Tensor, slate: tf.Tensor | None) -> tf.Tensor:
        """Number of the leaf in each tree.

        Args:
            user: Values of U viewers, float32 [U, D_u]; what is not finite is missing.
            candidate: Values of N candidates, float32 [N, D_c].
            slate: Row of each candidate's viewer, int32 [N]; None = one viewer.

        Returns:
            uint8 [N, T].
        """
        columns, width = tf.convert_to_tensor(self.columns), tf.shape(user)[-1]
        of_user = columns < width
        by_user = self._left(user, tf.minimum(columns, width - 1), of_user)
        by_candidate = self._left(candidate, tf.maximum(columns - width, 0), tf.logical_not(of_user))
        left = tf.bitwise.bitwise_and(per_candidate(by_user, slate), by_candidate)
        lowest = tf.bitwise.bitwise_and(left, -left)
        return tf.raw_ops.PopulationCount(x=lowest - 1)

    def _left(self, values: tf.Tensor, columns: tf.Tensor, own: tf.Tensor) -> tf.Tensor:
        """The leaves that the splits of a side leave: float32 [rows, D], and [L − 1, T] twice → int32 [rows, T]."""
        finite = tf.math.is_finite(values)
        # A column once with what is missing below all thresholds, once with it above: one comparison then does.
        below, above = (tf.where(finite, values, tf.constant(far, tf.float32)) for far in (-np.inf, np.inf))
        turned = tf.transpose(tf.concat([below, above], axis=-1))
        read = columns + tf.where(self.missing_left, 0, values.shape[-1])
        goes_left = tf.gather(turned, read) <= tf.expand_dims(self.thresholds, -1)
        kept = tf.expand_dims(tf.where(own, self.kept, -1), -1)
        sets = tf.where(goes_left, tf.constant(-1), kept)
        return tf.transpose(reduce(tf.bitwise.bitwise_and, tf.unstack(sets)))
