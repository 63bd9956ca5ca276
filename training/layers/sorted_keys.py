"""Sorted keys: where int64 keys stand in a list, with ordinary graph ops that any TensorFlow Serving runs."""

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

_BITS = 64


class SortedKeys(tf.Module):
    """A sorted list of keys, searched from where their first bits say.

    Keys are hashes, so of as many intervals of equal length as there are keys each holds few. A list says where each
    interval begins; the rest is a binary search over what the fullest one holds. That is a handful of gathers, which
    run in parallel, where a search over the whole list takes some twenty steps a key, one key after another. Keys that
    stand together more closely cost more steps, and are found all the same.

    Attributes:
        keys: int64 [K].
        starts: The first place of each interval, and K at the end, int32 [2^bits + 1].
    """

    def __init__(self, keys: NDArray[np.int64]) -> None:
        """Takes the keys.

        Args:
            keys: int64 [K], ascending, each once, at least one.
        """
        super().__init__(name="sorted_keys")
        bits = max(len(keys).bit_length(), 1)
        self._shift = _BITS - bits
        self._half = 1 << (bits - 1)
        counts = np.bincount((keys >> self._shift) + self._half, minlength=2 * self._half)
        starts = np.concatenate([[0], np.cumsum(counts)])
        self._steps = int(counts.max()).bit_length()
        self._last = len(keys) - 1
        self.keys = tf.Variable(tf.constant(keys, tf.int64), trainable=False, name="keys")
        self.starts = tf.Variable(tf.constant(starts, tf.int32), trainable=False, name="starts")

    def find(self, keys: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Where each key stands and whether it does.

        Args:
            keys: int64 [...].

        Returns:
            A place, int32 [...], from 0 to K − 1; that of another key where this one is none of the list; bool [...].
        """
        interval = tf.cast(tf.bitwise.right_shift(keys, tf.constant(self._shift, tf.int64)), tf.int32) + self._half
        place = tf.gather(self.starts, interval)
        for step in reversed(range(self._steps)):
            further = tf.minimum(place + (1 << step), self._last)
            place = tf.where(tf.gather(self.keys, further) <= keys, further, place)
        place = tf.minimum(place, self._last)
        return place, tf.gather(self.keys, place) == keys
