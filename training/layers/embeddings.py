"""Embeddings: from int64 keys to vectors, with ordinary graph ops that any TensorFlow Serving runs."""

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
import tf_keras as keras
from numpy.typing import NDArray


class Embeddings(keras.layers.Layer):
    """One vector a key, shared by all features that name the same vocabulary.

    Keys are hashes over kind and id, so they are unique across vocabularies. That allows one sorted list of keys and
    one table for all of them: all id columns of a side cost one search and one gather, not one of each a column.
    A key that was not seen in training falls, by its own value, on one of `unseen_rows` rows of its vocabulary; 0 is
    the zero vector.

    Attributes:
        size: Numbers a vector.
    """

    def __init__(
        self, vocabularies: Mapping[str, NDArray[np.int64]], *, size: int, unseen_rows: int, trainable: bool = True
    ) -> None:
        super().__init__(name="embeddings")
        self.size = size
        self._unseen_rows = unseen_rows
        self._first_unseen = {name: place * unseen_rows for place, name in enumerate(vocabularies)}
        known = np.unique(np.concatenate([np.zeros(1, np.int64), *vocabularies.values()]))
        # Never empty: 0 is always among the keys, and masked out in the end.
        self.keys = tf.Variable(tf.constant(known), trainable=False, name="keys")
        rows = len(vocabularies) * unseen_rows + len(known)
        initializer = keras.initializers.RandomNormal(stddev=0.05)
        self.table = self.add_weight("table", (rows, size), initializer=initializer, trainable=trainable)

    def rows(self, ids: tf.Tensor, vocabularies: Sequence[str], unseen: tf.Tensor | None = None) -> tf.Tensor:
        """Rows of the table.

        Args:
            ids: Keys, int64 [..., W].
            vocabularies: The vocabulary of each of the W columns.
            unseen: bool [..., W]: take these as keys that were not seen in training.

        Returns:
            int64 [..., W].
        """
        place = tf.reshape(tf.searchsorted(self.keys, tf.reshape(ids, [-1]), out_type=tf.int64), tf.shape(ids))
        place = tf.minimum(place, tf.shape(self.keys, out_type=tf.int64)[0] - 1)
        known = tf.gather(self.keys, place) == ids
        if unseen is not None:
            known = known & tf.logical_not(unseen)
        first = tf.constant([self._first_unseen[name] for name in vocabularies], tf.int64)
        fallback = first + tf.math.floormod(ids, tf.constant(self._unseen_rows, tf.int64))
        return tf.where(known, place + len(self._first_unseen) * self._unseen_rows, fallback)

    def call(self, ids: tf.Tensor, vocabularies: Sequence[str], unseen: tf.Tensor | None = None) -> tf.Tensor:
        """Vectors of keys: int64 [..., W] → float32 [..., W, size]; zeros where the key is 0."""
        vectors = tf.gather(self.table, self.rows(ids, vocabularies, unseen))
        return vectors * tf.cast(tf.expand_dims(ids, -1) != 0, tf.float32)
