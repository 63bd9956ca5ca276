"""Counterfactual risks, against the loss over everyone that they stand for."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from training.counterfactual import dr_risk, inverse_propensities, ips_risk

RANDOM = np.random.default_rng(7)
COUNT = 200_000
TASTE = RANDOM.normal(size=COUNT)
"""Who likes the thing both enters it and converts: those who entered convert more often than all would."""

PROPENSITY = 1 / (1 + np.exp(1.0 - TASTE))
OBSERVED = (RANDOM.random(COUNT) < PROPENSITY).astype(np.float32)
LABELS = (RANDOM.random(COUNT) < 1 / (1 + np.exp(-TASTE))).astype(np.float32)
LOGITS = (0.3 * TASTE - 1.5).astype(np.float32)


def cross_entropy(labels: np.ndarray, logits: np.ndarray) -> np.ndarray:
    p = 1 / (1 + np.exp(-logits.astype(np.float64)))
    return -labels * np.log(p) - (1 - labels) * np.log(1 - p)


TRUTH = cross_entropy(LABELS, LOGITS).mean()
ERROR = 0.01  # Some three standard errors of the estimates from 200,000 rows.


def weights(propensity: np.ndarray = PROPENSITY) -> tf.Tensor:
    return inverse_propensities(tf.constant(OBSERVED), tf.constant(propensity.astype(np.float32)), 0.001)


def ips(labels: np.ndarray, w: tf.Tensor) -> float:
    return float(ips_risk(tf.constant(labels), tf.constant(LOGITS), w))


def dr(labels: np.ndarray, imputed: np.ndarray, w: tf.Tensor) -> float:
    imputed = imputed.astype(np.float32)
    return float(dr_risk(tf.constant(labels), tf.constant(LOGITS), tf.constant(imputed), w, tf.ones(COUNT)))


def imputation_loss(imputed: np.ndarray, w: np.ndarray) -> float:
    """Σ w·(e − ê)² / Σ w as it is written."""
    guess = 1 / (1 + np.exp(-imputed))
    gap = cross_entropy(LABELS, LOGITS) - cross_entropy(guess, LOGITS)
    return (w * gap**2).sum() / w.sum()


def gradients(loss: Callable[..., tf.Tensor], *values: float) -> list[Any]:
    """Derivatives of a loss of some numbers."""
    variables = [tf.Variable(tf.constant([value])) for value in values]
    tape: Any
    with tf.GradientTape() as tape:
        found = loss(*variables)
    return [None if each is None else each.numpy().item() for each in tape.gradient(found, variables)]


def test_those_who_entered_are_not_like_all():
    assert abs(cross_entropy(LABELS, LOGITS)[OBSERVED > 0].mean() - TRUTH) > 10 * ERROR


def test_inverse_propensities_give_the_loss_over_everyone():
    assert ips(LABELS, weights()) == pytest.approx(TRUTH, abs=ERROR)


@pytest.mark.parametrize(
    ("propensity", "imputed"),
    [(PROPENSITY, RANDOM.normal(size=COUNT)), (np.full(COUNT, 0.5), TASTE)],
    ids=["propensities right, imputation wrong", "propensities wrong, imputation right"],
)
def test_the_doubly_robust_risk_needs_one_of_two_to_be_right(propensity: np.ndarray, imputed: np.ndarray):
    w = weights(propensity)
    found = dr(LABELS, imputed, w) - imputation_loss(imputed, np.asarray(w))
    assert found == pytest.approx(TRUTH, abs=ERROR)


def test_what_is_not_observed_has_no_label():
    w, other = weights(), np.where(OBSERVED > 0, LABELS, 1 - LABELS).astype(np.float32)
    assert ips(other, w) == pytest.approx(ips(LABELS, w))
    assert dr(other, TASTE, w) == pytest.approx(dr(LABELS, TASTE, w))


def test_no_one_stands_for_more_than_the_least_propensity_allows():
    found = inverse_propensities(tf.constant([1.0, 1.0, 0.0]), tf.constant([0.01, 0.5, 0.01]), 0.05)
    assert np.asarray(found) == pytest.approx([20.0, 2.0, 0.0])


def test_a_batch_in_which_no_one_entered_has_a_finite_risk():
    nothing, all_ones = tf.zeros(3), tf.ones(3)
    assert float(ips_risk(all_ones, all_ones, nothing)) == 0.0
    assert float(dr_risk(all_ones, nothing, nothing, nothing, all_ones)) == pytest.approx(np.log(2))
    assert float(dr_risk(all_ones, nothing, nothing, nothing, nothing)) == 0.0


def test_no_gradient_goes_through_the_propensity():
    one = tf.ones(1)
    assert gradients(lambda a: ips_risk(one, 2 * one, inverse_propensities(one, tf.sigmoid(a), 0.05)), 0.5) == [None]


def test_the_imputed_label_teaches_those_who_did_not_enter():
    """∂L/∂b = (σ(b) − r̃)/|D| of the unobserved, and none of it for r̃: by hand σ(1) − σ(2) = 0.7311 − 0.8808."""
    zero, one = tf.zeros(1), tf.ones(1)
    found = gradients(lambda b, c: dr_risk(zero, b, c, zero, one), 1.0, 2.0)
    assert found == pytest.approx([0.7311 - 0.8808, 0.0], abs=1e-4)


def test_the_imputed_label_learns_from_those_who_did():
    """∂/∂c of ((r̃ − r)·b)² with r = 1, b = 2, r̃ = σ(0): 2·4·(−0.5)·0.25 = −1; b learns as with IPS: σ(2) − 1."""
    one = tf.ones(1)
    found = gradients(lambda b, c: dr_risk(one, b, c, one, one), 2.0, 0.0)
    assert found == pytest.approx([0.8808 - 1, -1.0], abs=1e-4)
