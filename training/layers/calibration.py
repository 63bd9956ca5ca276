"""Calibration: the last layer of a ranker, fitted on the validation part when all else has been learnt."""

import numpy as np
import tensorflow as tf
import tf_keras as keras
from numpy.typing import NDArray

LEAST_LABELS = 100
"""With fewer positives or negatives a head stays as it is: the fit would follow chance."""

_EDGE = 1e-6  # Probabilities are kept this far from 0 and 1 before their logit is taken.
_STEPS = 50


class Calibration(keras.layers.Layer):
    """p → σ(a·logit p + b) of each binary head, y → y·exp(b) of the others; a and b start as 1 and 0.

    Platt, "Probabilistic Outputs for Support Vector Machines" (1999), on logits. It keeps the order of candidates, as a
    is kept above 0. An amount is scaled so that its mean is right: the mean of a law that was fitted to logarithms
    hangs on the shape of its tail, which no law has quite right.
    """

    def __init__(self, binary: NDArray[np.bool_]) -> None:
        """Takes which heads are binary, bool [heads]."""
        super().__init__(name="calibration")
        self._binary = binary
        start = np.stack([np.ones(len(binary)), np.zeros(len(binary))]).astype(np.float32)
        self.coefficients = tf.Variable(tf.constant(start), trainable=False, name="coefficients")

    def call(self, predictions: tf.Tensor) -> tf.Tensor:
        """float32 [N, heads] → float32 [N, heads]."""
        p = tf.clip_by_value(predictions, _EDGE, 1.0 - _EDGE)
        slope, shift = tf.unstack(self.coefficients)
        fitted = tf.sigmoid(slope * (tf.math.log(p) - tf.math.log1p(-p)) + shift)
        return tf.where(self._binary, fitted, predictions * tf.exp(shift))

    def fit(self, predictions: NDArray[np.float32], labels: NDArray[np.float32], mask: NDArray[np.bool_]) -> None:
        """Fits a and b of each head with enough labels.

        Args:
            predictions: Not calibrated yet, float32 [N, heads].
            labels: float32 [N, heads].
            mask: Whether the label exists, bool [N, heads].
        """
        found = self.coefficients.numpy()
        for head, binary in enumerate(self._binary):
            exists = mask[:, head]
            fit = platt if binary else scale
            found[:, head] = fit(predictions[exists, head], labels[exists, head])
        self.coefficients.assign(found)


def platt(probabilities: NDArray[np.float32], labels: NDArray[np.float32]) -> tuple[float, float]:
    """The a and b of greatest likelihood, by Newton's method; (1, 0) with too few labels or no increasing fit.

    Args:
        probabilities: float32 [n].
        labels: 0 or 1, float32 [n].
    """
    positives = int((labels > 0).sum())
    if min(positives, len(labels) - positives) < LEAST_LABELS:
        return 1.0, 0.0
    p = np.clip(probabilities.astype(np.float64), _EDGE, 1.0 - _EDGE)
    inputs = np.stack([np.log(p) - np.log1p(-p), np.ones(len(p))], axis=1)
    weights = np.array([1.0, 0.0])
    for _ in range(_STEPS):
        fitted = 1 / (1 + np.exp(-np.clip(inputs @ weights, -30, 30)))
        gradient = inputs.T @ (fitted - labels)
        curvature = (inputs * (fitted * (1 - fitted))[:, None]).T @ inputs + 1e-6 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        weights = weights - step
        if np.abs(step).max() < 1e-8:
            break
    return (float(weights[0]), float(weights[1])) if np.isfinite(weights).all() and weights[0] > 0 else (1.0, 0.0)


def scale(amounts: NDArray[np.float32], labels: NDArray[np.float32]) -> tuple[float, float]:
    """(1, b) with exp(b) = Σ labels / Σ amounts; (1, 0) with too few labels above 0.

    Durations that were cut off count as far as they were seen, which makes the scale a little too small.

    Args:
        amounts: Predictions, float32 [n].
        labels: float32 [n].
    """
    predicted = float(amounts.sum(dtype=np.float64))
    if int((labels > 0).sum()) < LEAST_LABELS or not predicted > 0:
        return 1.0, 0.0
    return 1.0, float(np.log(labels.sum(dtype=np.float64) / predicted))
