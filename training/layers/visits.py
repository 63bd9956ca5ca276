"""Visits: what the streamers of a viewer's history are worth, as in `training.collaborative.interactions`."""

import numpy as np
import tensorflow as tf

from feature_service.features.layout import HISTORY_FLOATS, HISTORY_IDS, Layout
from training.collaborative.interactions import MINUTE_S, Worth
from training.layers.inputs import Tensors

WATCHED, DWELL_S, AGE_MINUTES = "user.watched.streamer", "user.watched.dwell_s", "user.watched.age_minutes"

_DAY_MINUTES = 1440.0
_OLDEST_DAYS = 1e5
_ITSELF_AND = 1.5  # Of steps up to here that are the same, one is the step itself.


class HistoryWorth:
    """The worth of each step of a history; the newest step of a streamer and a day carries that of all of them.

    Days are those before now, where training has calendar days. A step without dwell is one of unknown length: the
    viewer is still there, or nobody saw them leave.
    """

    def __init__(self, layout: Layout, worth: Worth) -> None:
        """Finds the columns.

        Args:
            layout: Has the streamers watched; without dwell every visit is of unknown length, without age of today.
            worth: How visits are valued.
        """
        self._worth = worth
        self._key = layout[HISTORY_IDS].slices()[WATCHED].start
        floats = layout[HISTORY_FLOATS].slices() if HISTORY_FLOATS in layout else {}
        self._dwell, self._age = (floats[name].start if name in floats else None for name in (DWELL_S, AGE_MINUTES))

    def keys(self, tensors: Tensors) -> tf.Tensor:
        """The streamers watched, newest first, int64 [U, L]."""
        return tensors[HISTORY_IDS][:, :, self._key]

    def __call__(self, tensors: Tensors) -> tf.Tensor:
        """Packed sequences of U viewers → worth of their steps, float32 [U, L], finite; 0 where the key is 0."""
        keys = self.keys(tensors)
        dwell_s, age_days = self._column(tensors, self._dwell), self._column(tensors, self._age) / _DAY_MINUTES
        age_days = tf.clip_by_value(age_days, 0.0, _OLDEST_DAYS)
        day = tf.floor(age_days)
        same = (keys[:, :, tf.newaxis] == keys[:, tf.newaxis, :]) & (day[:, :, tf.newaxis] == day[:, tf.newaxis, :])
        same = tf.cast(same, tf.float32)
        first = tf.reduce_sum(tf.linalg.band_part(same, -1, 0), axis=-1) < _ITSELF_AND
        decay = tf.pow(2.0, -age_days / np.float32(self._worth.half_life_days))
        return tf.where(first & (keys != 0), self._of_day(same, dwell_s) * decay, 0.0)

    def _of_day(self, same: tf.Tensor, dwell_s: tf.Tensor) -> tf.Tensor:
        """Worth of each step's day with its streamer, not decayed, float32 [U, L]; `same` [U, L, L] tells of which."""
        if self._worth.weight == "days":
            return tf.ones(tf.shape(dwell_s))
        if self._worth.weight == "visits":
            return tf.reduce_sum(same, axis=-1)
        seconds = tf.linalg.matvec(same, tf.where(dwell_s > 0, tf.minimum(dwell_s, self._worth.cap_s), MINUTE_S))
        return tf.math.log1p(tf.minimum(seconds, self._worth.cap_s)) / np.float32(np.log1p(MINUTE_S))

    def _column(self, tensors: Tensors, place: int | None) -> tf.Tensor:
        """One column of floats, [U, L]; what is not finite counts as 0."""
        if place is None:
            return tf.zeros(tf.shape(self.keys(tensors)))
        values = tensors[HISTORY_FLOATS][:, :, place]
        return tf.where(tf.math.is_finite(values), values, 0.0)


def newest(keys: tf.Tensor) -> tf.Tensor:
    """1 at the newest step of each key, else 0: int64 [U, L] → float32 [U, L]."""
    same = tf.cast(keys[:, :, tf.newaxis] == keys[:, tf.newaxis, :], tf.float32)
    return tf.cast(tf.reduce_sum(tf.linalg.band_part(same, -1, 0), axis=-1) < _ITSELF_AND, tf.float32)
