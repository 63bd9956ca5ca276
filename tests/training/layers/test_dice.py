"""Dice: an activation that bends where the data are."""

import numpy as np
import pytest
import tensorflow as tf

from training.layers.dice import Dice, DiceTower

ROWS = np.random.default_rng(5).normal(loc=[2.0, -1.0], scale=[1.0, 3.0], size=(200, 2)).astype(np.float32)


def reference(rows: np.ndarray, mean: np.ndarray, variance: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Equation 9 as it is written."""
    p = 1 / (1 + np.exp(-(rows - mean) / np.sqrt(variance + 1e-8)))
    return p * rows + (1 - p) * alpha * rows


def test_in_training_it_bends_at_the_mean_of_the_batch():
    dice = Dice(2)
    dice.alpha.assign([0.5, -0.25])
    expected = reference(ROWS, ROWS.mean(axis=0), ROWS.var(axis=0), np.array([0.5, -0.25]))
    assert dice(ROWS, training=True).numpy() == pytest.approx(expected, abs=1e-5)


def test_in_serving_a_row_does_not_depend_on_the_others():
    dice = Dice(2)
    dice(ROWS, training=True)
    dice.alpha.assign([0.5, -0.25])
    alone = dice(ROWS[:1]).numpy()
    assert alone == pytest.approx(dice(ROWS).numpy()[:1], abs=1e-6)
    expected = reference(ROWS[:1], ROWS.mean(axis=0), ROWS.var(axis=0), np.array([0.5, -0.25]))
    assert alone == pytest.approx(expected, abs=1e-4)


def test_the_first_batches_count_alike():
    dice = Dice(2)
    for part in np.split(ROWS, 4):
        dice(part, training=True)
    parts = np.split(ROWS, 4)
    assert dice.mean.numpy() == pytest.approx(np.mean([part.mean(axis=0) for part in parts], axis=0), abs=1e-5)
    assert dice.variance.numpy() == pytest.approx(np.mean([part.var(axis=0) for part in parts], axis=0), abs=1e-4)


def test_a_late_batch_counts_by_a_hundredth():
    dice = Dice(1)
    dice.batches.assign(5000.0)
    dice.mean.assign([1.0])
    dice(np.full((3, 1), 11.0, np.float32), training=True)
    assert dice.mean.numpy() == pytest.approx([1.1])  # 1 + 0.01 · (11 − 1)


def test_a_batch_without_rows_is_no_data():
    dice = Dice(2)
    dice(ROWS, training=True)
    before = [variable.numpy() for variable in dice.variables]
    assert dice(tf.zeros((0, 2)), training=True).shape == (0, 2)
    assert all(np.array_equal(old, new.numpy()) for old, new in zip(before, dice.variables, strict=True))


def test_a_constant_unit_stays_finite():
    assert np.isfinite(Dice(1)(np.full((4, 1), 7.0, np.float32), training=True)).all()


def test_the_gradient_goes_through_the_moments():
    """Shifting all rows of a batch alike leaves the gates where they are: d/dt Σ p(s + t)·(s + t) = Σ p."""
    dice, rows = Dice(2), tf.constant(ROWS)
    with tf.GradientTape() as tape:
        tape.watch(rows)
        result = tf.reduce_sum(dice(rows, training=True), axis=0)
    gates = 1 / (1 + np.exp(-(ROWS - ROWS.mean(axis=0)) / ROWS.std(axis=0)))
    gradient = tape.gradient(result, rows).numpy()  # pyright: ignore[reportAttributeAccessIssue]
    assert gradient.sum(axis=0) == pytest.approx(gates.sum(axis=0), rel=1e-4)


def test_the_gradient_in_closed_form_is_that_of_the_equation():
    dice, rows, alpha = Dice(2), tf.constant(ROWS), tf.constant([0.5, -0.25])
    upstream = tf.constant(np.random.default_rng(6).normal(size=ROWS.shape), tf.float32)
    dice.alpha.assign(alpha)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([rows, alpha])
        mean, variance = tf.nn.moments(rows, axes=0)
        gate = tf.sigmoid((rows - mean) / tf.sqrt(variance + 1e-8))
        written = gate * rows + (1.0 - gate) * alpha * rows
        closed = dice(rows, training=True)
    expected = tape.gradient([written], [rows, alpha], [upstream])
    received = tape.gradient([closed], [rows, dice.alpha], [upstream])
    for one, other in zip(received, expected, strict=True):
        assert np.asarray(one) == pytest.approx(np.asarray(other), rel=1e-4, abs=1e-5)


def test_a_tower_without_layers_is_its_input():
    assert np.array_equal(DiceTower(())(ROWS), ROWS)
