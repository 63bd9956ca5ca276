"""Counterfactual risks: what the loss of a step after a selection would be, had everyone been selected.

Conversions r are known only of those who clicked, o = 1, and these are not like the others. Weights by the inverse of
the propensity p̂ to click make them stand for all. Pure functions over tensors; no gradient goes through p̂.
"""

import tensorflow as tf

from training.distribution import mean_over_workers
from training.losses import binary_cross_entropy


def inverse_propensities(observed: tf.Tensor, propensity: tf.Tensor, least: float) -> tf.Tensor:
    """Weights o / max(p̂, least), without gradient.

    Args:
        observed: o, float32 [N], 0 or 1.
        propensity: p̂, float32 [N].
        least: No one stands for more than 1 / least others.

    Returns:
        float32 [N].
    """
    return tf.stop_gradient(observed / tf.maximum(propensity, least))


def ips_risk(labels: tf.Tensor, logits: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Σ w·BCE(r, σ(b)) / Σ w: the loss over everyone, by those who were observed.

    References:
        Schnabel et al., "Recommendations as Treatments" (ICML 2016), section 3; divided by the sum of the weights and
        not by the number of all, as Swaminathan and Joachims, "The Self-Normalized Estimator for Counterfactual
        Learning" (NIPS 2015), as propensities that are all too low would else raise the rate of learning.

    Args:
        labels: r, float32 [N]; of the unobserved any.
        logits: b, float32 [N].
        weights: w = o / p̂, float32 [N].

    Returns:
        Scalar.
    """
    return binary_cross_entropy(labels, logits, weights)


def dr_risk(
    labels: tf.Tensor, logits: tf.Tensor, imputed: tf.Tensor, weights: tf.Tensor, exists: tf.Tensor
) -> tf.Tensor:
    """The doubly robust loss over everyone, and that of the imputation.

    With e = BCE(r, σ(b)) and ê = BCE(r̃, σ(b)) for an imputed label r̃ = σ(c):

        Σ_D ê / |D| + Σ w·(e − ê) / Σ w    of b, which is right if either p̂ or r̃ is,
        Σ w·(e − ê)² / Σ w                 of c.

    References:
        Wang et al., "Doubly Robust Joint Learning for Recommendation on Data Missing Not at Random" (ICML 2019),
        equations 3 and 5. The sums of weights as in `ips_risk`.

    Args:
        labels: r, float32 [N]; of the unobserved any.
        logits: b, float32 [N].
        imputed: c, the logit of r̃, float32 [N].
        weights: w = o / p̂, float32 [N].
        exists: 1 for members of D, 0 for rows that are masked, float32 [N].

    Returns:
        The sum of both, scalar.
    """
    guess = tf.stop_gradient(tf.sigmoid(imputed))
    error = binary_cross_entropy(labels, logits, weights) - binary_cross_entropy(guess, logits, weights)
    # As a function of its label, cross-entropy is linear with slope −b: e − ê = (r̃ − r)·b.
    gap = (tf.sigmoid(imputed) - labels) * tf.stop_gradient(logits)
    whole = mean_over_workers(tf.reduce_sum(weights))
    imputation = tf.math.divide_no_nan(tf.reduce_sum(weights * tf.square(gap)), whole)
    return binary_cross_entropy(guess, logits, exists) + error + imputation
