"""Hashed crosses: a weight for each pair of a user's and a candidate's key, in as many rows as there is room for."""

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
import tf_keras as keras

from feature_service.features.layout import CANDIDATE_IDS, USER_IDS, Layout
from training.data.examples import LayoutMismatchError
from training.layers.towers import per_candidate

_USER = np.array(-7046029254386353131, np.int64)  # 2⁶⁴/φ, odd: the multiplier of SplitMix64.
_CANDIDATE = np.array(-4658895280553007687, np.int64)  # The second one of SplitMix64, odd.
_HALF, _LOW = np.int64(32), np.int64(0xFFFFFFFF)


class HashedCrosses(keras.layers.Layer):
    """Σ over the crosses c of w_c[h(user's key, candidate's key)], a weight a raw output, 0 where a key is 0.

    The cross-product transformation of Cheng et al., "Wide & Deep Learning for Recommender Systems" (DLRS 2016),
    equation 1, with the hashing trick of Weinberger et al. (ICML 2009): pairs are hashed into `buckets` rows a cross,
    and two pairs on one row share its weights. Keys are mixed by multiplication modulo 2⁶⁴, the user's once a viewer.
    """

    def __init__(self, layout: Layout, crosses: Sequence[tuple[str, str]], *, buckets: int, outputs: int) -> None:
        """Finds the columns.

        Args:
            layout: Has the id features of the crosses.
            crosses: The names of a user's and of a candidate's id feature, each of one key.
            buckets: Rows a cross.
            outputs: Raw outputs.

        Raises:
            LayoutMismatchError: The layout lacks one of the features, or it has several keys.
        """
        super().__init__(name="crosses")
        self.buckets = buckets
        self._user = [_place(layout, USER_IDS, user) for user, _ in crosses]
        self._candidate = [_place(layout, CANDIDATE_IDS, candidate) for _, candidate in crosses]
        self._first = np.arange(len(crosses), dtype=np.int64) * buckets
        self.table = self.add_weight("crosses", (len(crosses) * buckets, outputs), initializer="zeros")

    def call(self, tensors: Mapping[str, tf.Tensor], slate: tf.Tensor | None) -> tf.Tensor:
        """Packed tensors of U viewers and N candidates, and int32 [N] or None → float32 [N, outputs]."""
        rows, real = self.rows(tensors, slate)
        weights = tf.gather(self.table, rows) * tf.cast(tf.expand_dims(real, -1), tf.float32)
        return tf.reduce_sum(weights, axis=1)

    def rows(self, tensors: Mapping[str, tf.Tensor], slate: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor]:
        """The row of each cross, int64 [N, crosses], and whether both of its keys are there, bool [N, crosses]."""
        user = tf.gather(tensors[USER_IDS], self._user, axis=1)
        candidate = tf.gather(tensors[CANDIDATE_IDS], self._candidate, axis=1)
        mixed = per_candidate(user * _USER, slate) + candidate * _CANDIDATE
        # The upper half of a product depends on all bits of its factors, the lower one does not.
        mixed = tf.bitwise.bitwise_and(tf.bitwise.right_shift(_folded(mixed) * _USER, _HALF), _LOW)
        rows = tf.math.floormod(mixed, np.int64(self.buckets)) + self._first
        return rows, per_candidate(user != 0, slate) & (candidate != 0)

    def squares(self, tensors: Mapping[str, tf.Tensor], slate: tf.Tensor) -> tf.Tensor:
        """Σ‖w‖² over the rows that a batch reads, each once; float32 scalar."""
        rows, _ = tf.unique(tf.boolean_mask(*self.rows(tensors, slate)))
        return tf.reduce_sum(tf.gather(self.table, rows) ** 2)


def _folded(values: tf.Tensor) -> tf.Tensor:
    """The upper half of each number laid over its lower one."""
    high = tf.bitwise.bitwise_and(tf.bitwise.right_shift(values, _HALF), _LOW)  # `right_shift` repeats the sign.
    return tf.bitwise.bitwise_xor(values, high)


def _place(layout: Layout, tensor: str, name: str) -> int:
    found = {column.name: column for column in layout[tensor].columns} if tensor in layout else {}
    if name not in found:
        raise LayoutMismatchError(f"crosses: expected one of {sorted(found)} of {tensor}, received {name!r}")
    if found[name].width != 1:
        raise LayoutMismatchError(f"crosses: expected a feature of one key, received {name} of {found[name].width}")
    return layout[tensor].slices()[name].start
