"""Pooling of sequences."""

import numpy as np
import pytest
import tensorflow as tf

from training.layers.pooling import AttentionPooling

STEPS = tf.constant(np.random.default_rng(1).normal(size=(2, 4, 3)), tf.float32)


def test_one_real_step_is_the_result():
    mask = tf.constant([[False, True, False, False]] * 2)
    assert AttentionPooling(8)(STEPS, mask).numpy() == pytest.approx(STEPS.numpy()[:, 1], abs=1e-6)


def test_no_real_step_gives_zeros():
    assert np.array_equal(AttentionPooling(8)(STEPS, tf.zeros((2, 4), tf.bool)), np.zeros((2, 3)))


def test_equal_steps_are_their_mean():
    same = tf.repeat(STEPS[:, :1], 4, axis=1)
    mask = tf.constant([[True, True, True, False]] * 2)
    assert AttentionPooling(8)(same, mask).numpy() == pytest.approx(same.numpy()[:, 0], abs=1e-6)


def test_masked_steps_get_no_gradient():
    mask = tf.constant([[True, False, True, False]] * 2)
    pooling = AttentionPooling(8)
    with tf.GradientTape() as tape:
        tape.watch(STEPS)
        result = tf.reduce_sum(pooling(STEPS, mask) ** 2)
    gradient = tape.gradient(result, STEPS).numpy()  # pyright: ignore[reportAttributeAccessIssue]
    assert not gradient[:, [1, 3]].any()
    assert gradient[:, [0, 2]].any()
