"""Revisits: a direct path from the streamers that a viewer has watched to the rooms of the same streamers."""

import numpy as np
import tensorflow as tf
import tf_keras as keras

from feature_service.features.layout import CANDIDATE_IDS, HISTORY_FLOATS, HISTORY_IDS, Layout
from training.layers.blueprint import Blueprint
from training.layers.inputs import FloatInputs, Tensors
from training.layers.known_keys import KnownKeys

STREAMER = "streamer.id"
WATCHED = "user.watched.streamer"

_KEY_BITS = 64
_MIX = np.array(-7046029254386353131, np.int64)  # 2⁶⁴/φ, odd: the multiplier of SplitMix64.
_HALF, _LOW = np.int64(32), np.int64(0xFFFFFFFF)
_FIRST_GAIN = 0.5  # softplus⁻¹ of about 1: a first visit starts as one unit of the logit.


def signs(keys: tf.Tensor, width: int) -> tf.Tensor:
    """A fixed vector of ±1/√width for each key: of length 1, and nearly orthogonal to that of any other key.

    The bits of a key are its signs, as a key is a hash; beyond 64 of them come those of the key times an odd number.
    Nothing is learnt and nothing stored, so it holds for a streamer who began a minute ago.

    Args:
        keys: int64 [...].
        width: Numbers a vector.

    Returns:
        float32 [..., width].
    """
    places, one = tf.range(_KEY_BITS, dtype=tf.int64), tf.constant(1, tf.int64)
    blocks: list[tf.Tensor] = []
    for _ in range(-(-width // _KEY_BITS)):
        blocks.append(tf.bitwise.bitwise_and(tf.bitwise.right_shift(tf.expand_dims(keys, -1), places), one))
        keys = keys * _MIX
        high = tf.bitwise.bitwise_and(tf.bitwise.right_shift(keys, _HALF), _LOW)  # `right_shift` repeats the sign.
        keys = tf.bitwise.bitwise_xor(keys, high)
    bits = tf.cast(tf.split(tf.concat(blocks, axis=-1), [width, -1], axis=-1)[0], tf.float32)
    return (2.0 * bits - 1.0) / np.float32(np.sqrt(width))


class Revisits(keras.layers.Layer):
    """How often, how long and how recently a viewer watched a streamer and those like her, as an inner product.

    m(x) = Σ_i a_i · c(h_i) over the visits i of the history, m(y) = c(streamer of y), so that

        ⟨m(x), m(y)⟩ = Σ_i a_i · ⟨c(h_i), c(streamer of y)⟩

    is item-based collaborative filtering with factored similarities (Kabbur, Ning and Karypis, "FISM: Factored Item
    Similarity Models for Top-N Recommender Systems", KDD 2013, equation 1). We depart in one table for both sides, of
    vectors of length 1: a streamer is as similar to herself as can be, so that the visits to her count in full.

    The code c of a streamer starts as her `signs`, by which none is like any other: a sketch of the visits (Alon,
    Matias and Szegedy, "The Space Complexity of Approximating the Frequency Moments", STOC 1996) with a deviation of
    √(Σ a²/width). Training moves the codes of those together who are watched by the same viewers; a streamer who was
    never met keeps her signs. The weight

        a_i = softplus(f(what is known of visit i, log(1 + n_i))) / (1 + n_i),   n_i newer visits to the same streamer

    starts near the harmonic series, a logarithm of the count, and f, of one hidden layer, learns the rest.
    """

    def __init__(self, blueprint: Blueprint, width: int) -> None:
        super().__init__(name="revisits")
        layout = blueprint.layout
        self.width = width
        self._watched = layout[HISTORY_IDS].slices()[WATCHED]
        self._streamer = layout[CANDIDATE_IDS].slices()[STREAMER]
        vocabulary = blueprint.encodings[STREAMER][1]
        self.known = KnownKeys(blueprint.fitted.vocabularies[vocabulary])
        self.codes = self.add_weight("codes", (self.known.count + 1, width), initializer=self._first_codes)
        floats = [tensor for tensor in layout.tensors if tensor.name == HISTORY_FLOATS]
        self.floats = FloatInputs(floats[0], blueprint) if floats else None
        self.hidden = keras.layers.Dense(16, activation="relu")
        self.gain = keras.layers.Dense(1)

    def _first_codes(self, shape: tf.TensorShape, dtype: tf.DType | None = None) -> tf.Tensor:
        """The signs of the keys that are known, and a row for all others that nobody reads; float32 [K + 1, width]."""
        return tf.ensure_shape(tf.cast(signs(self.known.keys, self.width), dtype or tf.float32), shape)

    @staticmethod
    def possible(layout: Layout) -> bool:
        """Whether the layout has the streamers of both sides."""
        names = {column.name for tensor in layout.tensors for column in tensor.columns}
        return {STREAMER, WATCHED} <= names

    def watched(self, tensors: Tensors) -> tf.Tensor:
        """The streamers watched, newest first, int64 [U, length]."""
        return tensors[HISTORY_IDS][:, :, self._watched.start]

    def user(self, tensors: Tensors) -> tf.Tensor:
        """m(x) of U viewers from the packed sequences, float32 [U, width]."""
        keys = self.watched(tensors)
        weights = self.visit_weights(tensors, keys)
        return tf.squeeze(tf.matmul(weights[:, tf.newaxis, :], self.code(keys)), axis=1)

    def room(self, tensors: Tensors) -> tf.Tensor:
        """m(y) of N rooms from the packed ids, float32 [N, width]."""
        return self.code(tensors[CANDIDATE_IDS][:, self._streamer.start])

    def code(self, keys: tf.Tensor) -> tf.Tensor:
        """The codes c of streamers, int64 [...] → float32 [..., width], of length 1."""
        rows = self.known.rows(keys)
        learnt = tf.math.l2_normalize(tf.gather(self.codes, rows), axis=-1)
        return tf.where(tf.expand_dims(rows, -1) < self.known.count, learnt, signs(keys, self.width))

    def visit_weights(self, tensors: Tensors, keys: tf.Tensor) -> tf.Tensor:
        """The a_i, float32 [U, length], of the visits to int64 keys [U, length]; 0 where the key is 0."""
        newer = _newer(keys)
        known = [tf.expand_dims(tf.math.log1p(newer), -1)]
        if self.floats is not None:
            known.append(self.floats(tensors[HISTORY_FLOATS]))
        gain = tf.squeeze(self.gain(self.hidden(tf.concat(known, axis=-1))), axis=-1)
        return tf.nn.softplus(gain + _FIRST_GAIN) / (1.0 + newer) * tf.cast(keys != 0, tf.float32)


def _newer(keys: tf.Tensor) -> tf.Tensor:
    """How many steps before each, so newer, have the same key: int64 [U, length] → float32 [U, length]."""
    same = tf.cast(keys[:, :, tf.newaxis] == keys[:, tf.newaxis, :], tf.float32)
    return tf.reduce_sum(tf.linalg.band_part(same, -1, 0), axis=-1) - 1.0
