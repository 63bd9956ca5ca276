"""Experts of each task's own beside shared ones."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from training.layers.extraction import Extraction

RANDOM = np.random.default_rng(6)
ROWS = [tf.constant(RANDOM.normal(size=(5, 4)), tf.float32) for _ in range(3)]
INPUTS = [(rows,) for rows in ROWS]


def extraction(*, last: bool = False) -> Extraction:
    """Two tasks with two experts each, and one shared expert."""
    level = Extraction(
        tasks=2, own=2, shared=1, expert=lambda: keras.layers.Dense(3), gate=keras.layers.Dense, last=last
    )
    level(INPUTS)
    return level


def mixed(gate, experts: list, rows: list) -> np.ndarray:
    """Σ softmax(W x)_i · E_i(x_i), where the gate reads the first of the rows."""
    scores = np.exp(gate(rows[0]).numpy())
    weights = scores / scores.sum(axis=1, keepdims=True)
    opinions = np.stack([expert(x).numpy() for expert, x in zip(experts, rows, strict=True)], axis=1)
    return (weights[:, :, np.newaxis] * opinions).sum(axis=1)


def test_a_task_mixes_its_own_experts_and_the_shared_ones():
    level = extraction()
    first, second, _ = level(INPUTS)
    for task, found in enumerate((first, second)):
        experts = [*level.experts[task], *level.shared_experts]
        wanted = mixed(level.gates[task], experts, [ROWS[task], ROWS[task], ROWS[2]])
        assert found.numpy() == pytest.approx(wanted, abs=1e-5)


def test_the_shared_gate_mixes_all_experts():
    level = extraction()
    (a, b), (c, d) = level.experts
    scores = np.exp(level.shared_gate(ROWS[2]).numpy())  # pyright: ignore[reportOptionalCall]
    weights = scores / scores.sum(axis=1, keepdims=True)
    opinions = [a(ROWS[0]), b(ROWS[0]), c(ROWS[1]), d(ROWS[1]), level.shared_experts[0](ROWS[2])]
    wanted = np.einsum("ne,end->nd", weights, np.stack([o.numpy() for o in opinions]))
    assert level(INPUTS)[2].numpy() == pytest.approx(wanted, abs=1e-5)


def test_the_last_level_has_no_shared_output():
    level = extraction(last=True)
    assert len(level(INPUTS)) == 2
    assert len(level.trainable_variables) == 2 * (5 + 2)  # Five experts and two gates, a kernel and a bias each.


def test_no_task_learns_from_the_experts_of_another():
    level = extraction()
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(level(INPUTS)[0]))
    kernels = [expert.kernel for expert in [*level.experts[0], *level.experts[1], *level.shared_experts]]
    learnt = [gradient is not None for gradient in tape.gradient(loss, kernels)]
    assert learnt == [True, True, False, False, True]
