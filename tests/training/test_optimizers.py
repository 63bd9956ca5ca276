"""Adam in fused kernels, and over the rows of a batch."""

import numpy as np
import tensorflow as tf
import tf_keras as keras

from training.optimizers import FusedAdam, LazyAdam

RATE, BETA_1, BETA_2, EPSILON = 0.1, 0.9, 0.999, 1e-7
STEPS = ([0, 2, 0], [3], [2, 3])
"""Rows of a table that three batches gather."""


class Adam:
    """Kingma and Ba (ICLR 2015), algorithm 1 with the order of operations at the end of section 2, row by row."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values.astype(np.float64)
        self.m, self.v = np.zeros_like(self.values), np.zeros_like(self.values)
        self.step = 0

    def apply(self, gradient: np.ndarray, rows: np.ndarray) -> None:
        self.step += 1
        rate = RATE * np.sqrt(1 - BETA_2**self.step) / (1 - BETA_1**self.step)
        self.m[rows] = BETA_1 * self.m[rows] + (1 - BETA_1) * gradient[rows]
        self.v[rows] = BETA_2 * self.v[rows] + (1 - BETA_2) * gradient[rows] ** 2
        self.values[rows] -= rate * self.m[rows] / (np.sqrt(self.v[rows]) + EPSILON)


def weights() -> tf.Tensor:
    return tf.constant(np.random.default_rng(3).normal(size=(5, 3)), tf.float32)


def trained(optimizer: keras.optimizers.Optimizer, table: tf.Variable) -> None:
    """Learns from three batches; the loss ½Σ‖row‖² has the row as gradient, once for each time that it is gathered."""
    optimizer.build([table])
    for rows in STEPS:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.gather(table, rows) ** 2) / 2
        optimizer.apply_gradients([(tape.gradient(loss, table), table)])


def expected(lazy: bool) -> np.ndarray:
    adam = Adam(weights().numpy())
    for rows in STEPS:
        times = np.bincount(rows, minlength=5)
        adam.apply(times[:, np.newaxis] * adam.values, np.flatnonzero(times) if lazy else np.arange(5))
    return adam.values


def test_the_fused_steps_are_those_of_the_paper_on_all_rows():
    table = tf.Variable(weights())
    trained(FusedAdam(RATE, jit_compile=False), table)
    assert np.allclose(table, expected(lazy=False), atol=1e-6)


def test_the_fused_steps_are_those_of_keras():
    table, other = tf.Variable(weights()), tf.Variable(weights())
    trained(FusedAdam(RATE, jit_compile=False), table)
    trained(keras.optimizers.Adam(RATE, jit_compile=False), other)
    assert np.allclose(table, other, atol=1e-5)  # Keras' own powers of β are off in the sixth digit.


def test_the_lazy_steps_are_those_of_the_paper_on_the_rows_of_the_batch_alone():
    table = tf.Variable(weights())
    trained(LazyAdam(RATE, jit_compile=False), table)
    assert np.allclose(table, expected(lazy=True), atol=1e-6)
    assert not np.allclose(table, expected(lazy=False), atol=1e-3)


def test_a_row_that_no_batch_has_stays_as_it_was():
    table = tf.Variable(weights())
    trained(LazyAdam(RATE, jit_compile=False), table)
    assert np.array_equal(table[1], weights()[1])
    assert np.array_equal(table[4], weights()[4])


def test_a_kernel_is_stepped_alike_by_both():
    found = []
    for make in (FusedAdam, LazyAdam):
        kernel = tf.Variable(weights())
        optimizer = make(RATE, jit_compile=False)
        optimizer.build([kernel])
        for _ in STEPS:
            optimizer.apply_gradients([(tf.convert_to_tensor(kernel), kernel)])
        found.append(kernel.numpy())
    adam = Adam(weights().numpy())
    for _ in STEPS:
        adam.apply(adam.values, np.arange(5))
    assert np.allclose(found[0], adam.values, atol=1e-6)
    assert np.array_equal(found[0], found[1])


def test_a_variable_that_the_loss_does_not_depend_on_stays_as_it_was():
    kernel, idle = tf.Variable(weights()), tf.Variable(weights())
    optimizer = FusedAdam(RATE, jit_compile=False)
    optimizer.build([kernel, idle])
    optimizer.apply_gradients([(tf.ones([5, 3]), kernel), (tf.zeros([5, 3]), idle)])
    assert np.array_equal(idle, weights())
