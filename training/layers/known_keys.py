"""Known keys: from int64 keys to rows of a table, with ordinary graph ops that any TensorFlow Serving runs."""

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray


class KnownKeys(tf.Module):
    """The keys that a solved model knows, ascending; row K stands for all others, and for the padding 0.

    Attributes:
        keys: int64 [K + 1], the last one the greatest there is, so that the list is never empty.
        count: K.
    """

    def __init__(self, keys: NDArray[np.int64]) -> None:
        """Takes the keys.

        Args:
            keys: int64 [K], ascending, without 0.
        """
        super().__init__(name="known_keys")
        self.count = len(keys)
        ended = np.append(keys, np.iinfo(np.int64).max)
        self.keys = tf.Variable(tf.constant(ended, tf.int64), trainable=False, name="keys")

    def rows(self, keys: tf.Tensor) -> tf.Tensor:
        """int64 [...] → int64 [...], from 0 to K."""
        flat = tf.reshape(keys, [-1])
        place = tf.minimum(tf.searchsorted(self.keys, flat, out_type=tf.int64), self.count)
        known = (tf.gather(self.keys, place) == flat) & (place < self.count) & (flat != 0)
        return tf.reshape(tf.where(known, place, tf.cast(self.count, tf.int64)), tf.shape(keys))

    def of_rows(self, rows: tf.Tensor) -> tf.Tensor:
        """The keys of rows, int64 [...] → int64 [...]; 0 of row K."""
        return tf.where(rows < self.count, tf.gather(self.keys, rows), tf.zeros([], tf.int64))
