"""Embeddings: from int64 keys to vectors, with ordinary graph ops that any TensorFlow Serving runs."""

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
import tf_keras as keras
from numpy.typing import NDArray

from training.layers.sorted_keys import SortedKeys


class Embeddings(keras.layers.Layer):
    """One vector a key, shared by all features that name the same vocabulary.

    Keys are hashes over kind and id, so they are unique across vocabularies. That allows one sorted list of keys and
    one table for all of them: all id columns of a side cost one search and one gather, not one of each a column.
    A key that was not seen in training falls, by its own value, on one of `unseen_rows` rows of its vocabulary; 0 is
    the zero vector.

    Attributes:
        size: Numbers a vector.
        keys: The known keys and 0, ascending, int64 [K].
    """

    def __init__(
        self,
        vocabularies: Mapping[str, NDArray[np.int64]],
        *,
        size: int,
        unseen_rows: int,
        zeros: int = 0,
        trainable: bool = True,
    ) -> None:
        """Makes the table.

        Args:
            vocabularies: The known keys, int64, by vocabulary.
            size: Numbers a vector.
            unseen_rows: Rows a vocabulary for keys that were not seen.
            zeros: How many of a vector's last numbers start from 0; the others start from N(0, 0.05²).
            trainable: Whether the table is learnt.
        """
        super().__init__(name="embeddings")
        self.size = size
        self._unseen_rows = unseen_rows
        self._first_unseen = {name: place * unseen_rows for place, name in enumerate(vocabularies)}
        self._first_known = len(vocabularies) * unseen_rows
        self._vocabularies = vocabularies
        known = np.unique(np.concatenate([np.zeros(1, np.int64), *vocabularies.values()]))
        self._listed = SortedKeys(known)  # Never empty: 0 is always among the keys, and masked out in the end.
        self.keys = self._listed.keys
        rows = self._first_known + len(known)

        def first(shape: Sequence[int], dtype: tf.DType) -> tf.Tensor:
            drawn = keras.initializers.RandomNormal(stddev=0.05)((shape[0], size - zeros), dtype)
            return tf.pad(drawn, [[0, 0], [0, zeros]])

        self.table = self.add_weight("table", (rows, size), initializer=first, trainable=trainable)

    def rows(self, ids: tf.Tensor, vocabularies: Sequence[str], unseen: tf.Tensor | None = None) -> tf.Tensor:
        """Rows of the table.

        Args:
            ids: Keys, int64 [..., W].
            vocabularies: The vocabulary of each of the W columns.
            unseen: bool [..., W]: take these as keys that were not seen in training.

        Returns:
            int32 [..., W].
        """
        place, known = self._listed.find(ids)
        if unseen is not None:
            known = known & tf.logical_not(unseen)
        first = tf.constant([self._first_unseen[name] for name in vocabularies], tf.int32)
        fallback = first + tf.cast(tf.math.floormod(ids, tf.constant(self._unseen_rows, tf.int64)), tf.int32)
        return tf.where(known, place + self._first_known, fallback)

    def call(self, ids: tf.Tensor, vocabularies: Sequence[str], unseen: tf.Tensor | None = None) -> tf.Tensor:
        """Vectors of keys: int64 [..., W] → float32 [..., W, size]; zeros where the key is 0."""
        vectors = tf.gather(self.table, self.rows(ids, vocabularies, unseen))
        return vectors * tf.cast(tf.expand_dims(ids, -1) != 0, tf.float32)

    def take_over(self, earlier: "Embeddings") -> None:
        """Starts from an earlier table of the same vocabularies, a new key from the row that stood for it there."""
        table, held, keys = earlier.table.numpy(), earlier.keys.numpy(), self.keys.numpy()
        place = np.minimum(np.searchsorted(held, keys), len(held) - 1)
        rows = np.where(held[place] == keys, earlier._first_known + place, self._rows_without_key(keys))
        self.table.assign(np.concatenate([table[: self._first_known], table[rows]]))

    def _rows_without_key(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """The row on which each of the known keys, int64 [K], would fall if it were not known; int64 [K]."""
        rows = keys % self._unseen_rows
        for name, known in self._vocabularies.items():
            rows[np.searchsorted(keys, known)] += self._first_unseen[name]
        return rows

    def squares(self, ids: tf.Tensor) -> tf.Tensor:
        """Σ‖v‖² over the vectors of the known keys among int64 [n], each key once; float32 scalar."""
        keys, _ = tf.unique(ids)
        place, known = self._listed.find(keys)
        rows = tf.boolean_mask(place, known & (keys != 0)) + self._first_known
        return tf.reduce_sum(tf.gather(self.table, rows) ** 2)
