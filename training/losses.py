"""Losses: pure functions over tensors. A weight of 0 masks an example: it adds neither loss nor gradient."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from training.distribution import mean_over_workers


def _weighted_mean(losses: tf.Tensor, weights: tf.Tensor | None) -> tf.Tensor:
    """Σ w·l / Σ w; 0 where no weight is left.

    Of several workers each divides by their mean Σ w, so that the mean of what they get is that of the whole batch.
    """
    if weights is None:
        return tf.reduce_mean(losses)
    return tf.math.divide_no_nan(tf.reduce_sum(losses * weights), mean_over_workers(tf.reduce_sum(weights)))


def binary_cross_entropy(y_true: tf.Tensor, y_pred: tf.Tensor, sample_weight: tf.Tensor | None = None) -> tf.Tensor:
    """Mean of −y·log σ(x) − (1−y)·log(1−σ(x)).

    Args:
        y_true: Labels y, float32 [N], 0 or 1.
        y_pred: Logits x, float32 [N].
        sample_weight: float32 [N], 0 = masked; None = all count alike.

    Returns:
        Scalar.
    """
    return _weighted_mean(tf.nn.sigmoid_cross_entropy_with_logits(y_true, y_pred), sample_weight)


def product_cross_entropy(y_true: tf.Tensor, y_pred: tf.Tensor, sample_weight: tf.Tensor | None = None) -> tf.Tensor:
    """Cross-entropy of the product of two probabilities, pCTCVR = σ(a)·σ(b), over the entire space.

    log p = log σ(a) + log σ(b) and log(1−p) = log(σ(−a) + σ(a)·σ(−b)) as a log-sum-exp: exact where p is next to 0
    or 1, where the plain product loses its digits. There is no loss on σ(b) alone.

    References:
        Ma et al., "Entire Space Multi-Task Model" (SIGIR 2018, arXiv:1804.07931), equation 3, second term.

    Args:
        y_true: Labels of both steps together (entered and watched), float32 [N], 0 or 1.
        y_pred: Logits (a, b), float32 [N, 2].
        sample_weight: float32 [N], 0 = masked; None = all count alike.

    Returns:
        Scalar.
    """
    first, second = y_pred[:, 0], y_pred[:, 1]
    log_first = tf.math.log_sigmoid(first)
    log_both = log_first + tf.math.log_sigmoid(second)
    log_not = tf.reduce_logsumexp(
        tf.stack([tf.math.log_sigmoid(-first), log_first + tf.math.log_sigmoid(-second)]), axis=0
    )
    return _weighted_mean(-y_true * log_both - (1.0 - y_true) * log_not, sample_weight)


def log_normal_loss(y_true: tf.Tensor, y_pred: tf.Tensor, sample_weight: tf.Tensor | None = None) -> tf.Tensor:
    """Mean negative log-likelihood of durations under a log-normal law of 1 + y, some of them cut off.

    With z = (log1p(y) − μ)/σ: ½z² + log σ of a duration that was seen to its end, and −log(1 − Φ(z)) of one that was
    cut off at y, of which only that it would have been longer is known. (Constants are left out.)

    References:
        The likelihood of censored observations: Kalbfleisch and Prentice, The Statistical Analysis of Failure Time Data
        (2nd edition, 2002), section 3.2.

    Args:
        y_true: Durations y (seconds), at least 0, and whether they were cut off (1) or not (0), float32 [N, 2].
        y_pred: μ and the raw spread, see `spread`, float32 [N, 2].
        sample_weight: float32 [N], 0 = masked; None = all count alike.

    Returns:
        Scalar.
    """
    sigma = spread(y_pred[:, 1])
    z = (tf.math.log1p(y_true[:, 0]) - y_pred[:, 0]) / sigma
    seen = 0.5 * tf.square(z) + tf.math.log(sigma)
    return _weighted_mean(tf.where(y_true[:, 1] > 0, -_log_survival(z), seen), sample_weight)


def zero_inflated_loss(y_true: tf.Tensor, y_pred: tf.Tensor, sample_weight: tf.Tensor | None = None) -> tf.Tensor:
    """Mean loss of an amount that is mostly zero: the cross-entropy of y > 0, and there a log-normal law of y.

    References:
        Wang, Liu and Miao, "A Deep Probabilistic Model for Customer Lifetime Value Prediction" (2019,
        arXiv:1912.07753), equation 3: ZILN.

    Args:
        y_true: Amounts y, at least 0, float32 [N].
        y_pred: Logit of y > 0, μ and the raw spread of log y, see `spread`, float32 [N, 3].
        sample_weight: float32 [N], 0 = masked; None = all count alike.

    Returns:
        Scalar.
    """
    positive = tf.cast(y_true > 0, tf.float32)
    sigma = spread(y_pred[:, 2])
    z = (tf.math.log(tf.where(y_true > 0, y_true, 1.0)) - y_pred[:, 1]) / sigma
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(positive, y_pred[:, 0])
    return _weighted_mean(entropy + positive * (0.5 * tf.square(z) + tf.math.log(sigma)), sample_weight)


LEAST_SPREAD, MOST_SPREAD = 0.1, 3.0
"""σ of a log-normal law stays between: a single amount would shrink it to nothing, an outlier make the mean endless."""


def spread(raw: tf.Tensor) -> tf.Tensor:
    """A raw output as σ of a log-normal law: softplus, in [0.1, 3]."""
    return tf.clip_by_value(tf.nn.softplus(raw), LEAST_SPREAD, MOST_SPREAD)


def _log_survival(z: tf.Tensor) -> tf.Tensor:
    """log(1 − Φ(z)) of the standard normal law; beyond z = 5, where float32 has no digits left, by its asymptote.

    1 − Φ(z) → φ(z)/z · (1 − 1/z²), the classical expansion (Abramowitz and Stegun, 26.2.12).
    """
    near, far = tf.minimum(z, 5.0), tf.maximum(z, 5.0)
    asymptote = -0.5 * tf.square(far) - tf.math.log(far) - 0.5 * np.log(2 * np.pi) + tf.math.log1p(-1 / tf.square(far))
    return tf.where(z < 5.0, tf.math.log(0.5 * tf.math.erfc(near / np.sqrt(2.0))), asymptote)


class Frequencies(NamedTuple):
    """State of the streaming frequency estimate, for m hash functions and H slots each.

    Attributes:
        last_step: Step at which a slot was last hit (A of the paper), float32 [m, H].
        gap: Estimated steps between two hits (B of the paper), float32 [m, H].
    """

    last_step: tf.Tensor
    gap: tf.Tensor


def frequency_slots(keys: tf.Tensor, hashes: int, slots: int) -> tf.Tensor:
    """The slots of int64 keys [N], int64 [hashes, N]. Keys are hashes themselves; each row reads other bits of them."""
    bits = 62 // hashes
    return tf.stack([tf.math.floormod(tf.bitwise.right_shift(keys, bits * i), slots) for i in range(hashes)])


def update_frequencies(state: Frequencies, slots: tf.Tensor, step: tf.Tensor, rate: float) -> Frequencies:
    """One step of the streaming estimate: B ← (1−α)·B + α·(t − A); A ← t, for the slots of this batch.

    A slot that several items of the batch hit is updated once, from its state before the batch. (A widely copied
    version moves B towards A instead of t − A.)

    References:
        Yi et al., "Sampling-Bias-Corrected Neural Modeling for Large Corpus Item Recommendations" (RecSys 2019),
        algorithm 2; several hashes: algorithm 3.

    Args:
        state: A and B, float32 [m, H] each.
        slots: int64 [m, N].
        step: Number t of the batch, float32 scalar; above all earlier ones.
        rate: Learning rate α.
    """
    hashes = tf.cast(tf.shape(slots)[0], tf.int64)
    where = tf.stack([tf.broadcast_to(tf.range(hashes)[:, tf.newaxis], tf.shape(slots)), slots], axis=-1)
    gap = tf.gather_nd(state.gap, where)
    gap += rate * (step - tf.gather_nd(state.last_step, where) - gap)
    return Frequencies(
        tf.tensor_scatter_nd_update(state.last_step, where, tf.fill(tf.shape(slots), step)),
        tf.tensor_scatter_nd_update(state.gap, where, gap),
    )


def log_sampling_probability(gap: tf.Tensor, slots: tf.Tensor) -> tf.Tensor:
    """Log p̂ = −log max_i B_i of items.

    A collision only shortens a gap, so the longest of the m estimates is the best one. p̂ is the chance that a batch
    contains the item, at most 1.

    Args:
        gap: B, float32 [m, H].
        slots: The items' slots, int64 [m, N].

    Returns:
        float32 [N].
    """
    gaps = tf.gather(gap, slots, batch_dims=1)
    return -tf.math.log(tf.maximum(tf.reduce_max(gaps, axis=0), 1.0))


def mixture_log_probability(log_probability: tf.Tensor, rate: tf.Tensor) -> tf.Tensor:
    """Log q of items that are met in a batch or drawn beside it: q = p̂ + r, up to a constant.

    How many copies of an item the softmax is expected to hold: p̂ from the batch, r of the items drawn uniformly.

    References:
        Yang et al., "Mixed Negative Sampling for Learning Two-Tower Neural Networks in Recommendations" (WWW 2020),
        section 4.2: Q* is the mixture of both sampling distributions, weighted by their sizes.

    Args:
        log_probability: log p̂, float32 [N].
        rate: Chance r of each item to be drawn, float32 scalar.

    Returns:
        float32 [N].
    """
    return tf.math.log(tf.exp(log_probability) + rate)


def append_correction(
    queries: tf.Tensor, items: tf.Tensor, log_probability: tf.Tensor, temperature: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """The logQ correction as one more dimension: (⟨q, c⟩ + 1·(−τ·log p)) / τ = ⟨q, c⟩/τ − log p.

    `tfrs.tasks.Retrieval` corrects by itself too, but clips p to 1e-6, after which all rarer items are corrected alike.
    Given the longer vectors it needs no sampling probability, and its loss is exactly that of the paper.

    References:
        Yi et al. (RecSys 2019), equation 5.

    Args:
        queries: float32 [Q, D].
        items: float32 [C, D].
        log_probability: log p of each item, float32 [C].
        temperature: τ of the softmax.

    Returns:
        float32 [Q, D+1] and [C, D+1].
    """
    ones = tf.ones([tf.shape(queries)[0], 1])
    correction = (-temperature * log_probability)[:, tf.newaxis]
    return tf.concat([queries, ones], axis=1), tf.concat([items, correction], axis=1)
