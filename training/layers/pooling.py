"""Pooling: a sequence of steps becomes one row."""

import tensorflow as tf
import tf_keras as keras

_NEVER = -1e9  # Added to a masked score: softmax gives it exactly 0.


class AttentionPooling(keras.layers.Layer):
    """Weighted mean of the real steps; the weights are learnt from the steps alone, so it runs once a viewer.

    a = softmax over real steps of vᵀ tanh(W s + b), result = Σ a s; the zero row where no step is real. This is the
    word attention of Yang et al., "Hierarchical Attention Networks for Document Classification" (NAACL 2016),
    equations 5–7, on what was watched.
    """

    def __init__(self, units: int) -> None:
        super().__init__(name="attention_pooling")
        self.hidden = keras.layers.Dense(units, activation="tanh")
        self.score = keras.layers.Dense(1, use_bias=False)

    def call(self, steps: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """float32 [U, length, D] and bool [U, length] → float32 [U, D]."""
        real = tf.cast(mask, tf.float32)
        scores = tf.squeeze(self.score(self.hidden(steps)), axis=-1) + (1.0 - real) * _NEVER
        weights = tf.nn.softmax(scores, axis=-1) * real
        return tf.squeeze(tf.matmul(weights[:, tf.newaxis, :], steps), axis=1)


def mean_of_real(steps: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Mean of the real steps; the zero row where none is real.

    Args:
        steps: float32 [U, length, D].
        mask: Whether the step is real, bool [U, length].

    Returns:
        float32 [U, D].
    """
    real = tf.expand_dims(tf.cast(mask, tf.float32), -1)
    return tf.math.divide_no_nan(tf.reduce_sum(steps * real, axis=1), tf.reduce_sum(real, axis=1))
