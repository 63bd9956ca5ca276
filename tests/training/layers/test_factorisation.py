"""Sums over the features of both sides: the linear part, and the products of all pairs."""

from itertools import combinations

import numpy as np
import pytest
import tensorflow as tf

from training.layers.factorisation import FactorisationMachine
from training.layers.fields import Fields
from training.layers.linear import LinearSums

K = 3
RANDOM = np.random.default_rng(5)


def fields(rows: int, numbers: int, ids: int, size: int = K) -> Fields:
    return Fields(
        tf.constant(RANDOM.normal(size=(rows, numbers)), tf.float32),
        tf.constant(RANDOM.normal(size=(rows, ids, size)), tf.float32),
    )


USER, CANDIDATE = fields(2, 3, 2), fields(5, 4, 3)
SLATE = tf.constant([0, 0, 1, 1, 1], tf.int32)


def features(side: Fields, row: int, vectors: np.ndarray) -> list[np.ndarray]:
    """The vector times the number of each feature of a row: numbers first, then ids, whose number is 1."""
    return [*(vectors * side.numbers.numpy()[row][:, None]), *side.vectors.numpy()[row]]


@pytest.fixture
def machine() -> FactorisationMachine:
    layer = FactorisationMachine(K, outputs=2)
    layer(USER, CANDIDATE, SLATE)
    for side in (layer.user, layer.candidate):  # From 0.01, at which products of numbers would be lost.
        side.numbers.kernel.assign(RANDOM.normal(size=side.numbers.kernel.shape))
    return layer


def test_the_products_of_all_pairs_are_summed(machine: FactorisationMachine):
    found = machine(USER, CANDIDATE, SLATE).numpy()
    weights = machine.weights_of_outputs.numpy()
    for row, viewer in enumerate(SLATE.numpy()):
        every = features(USER, viewer, machine.user.numbers.kernel.numpy())
        every += features(CANDIDATE, row, machine.candidate.numbers.kernel.numpy())
        assert len(every) == 12
        pairs = sum(one * two for one, two in combinations(every, 2))
        assert found[row] == pytest.approx(pairs @ weights, rel=1e-4, abs=1e-4)


def test_one_output_starts_as_the_plain_machine():
    layer = FactorisationMachine(K, outputs=1)
    user = Fields(tf.zeros([1, 0]), tf.constant([[[1.0, 2.0, 3.0]]]))
    candidate = Fields(tf.zeros([1, 0]), tf.constant([[[4.0, 5.0, 6.0]]]))
    assert layer(user, candidate, None).numpy().tolist() == [[1 * 4.0 + 2 * 5.0 + 3 * 6.0]]


def test_outputs_start_with_different_weights():
    layer = FactorisationMachine(K, outputs=2)
    one, two = layer.weights_of_outputs.numpy().T
    assert not np.allclose(one, two)


def test_one_viewer_broadcasts_as_if_repeated(machine: FactorisationMachine):
    one = Fields(USER.numbers[:1], USER.vectors[:1])
    repeated = machine(USER, CANDIDATE, tf.zeros(5, tf.int32)).numpy()
    assert machine(one, CANDIDATE, None).numpy() == pytest.approx(repeated, abs=1e-5)


def test_a_linear_part_is_the_sum_of_the_weights_of_all_features():
    user, candidate = fields(2, 3, 2, size=2), fields(5, 4, 3, size=2)
    layer = LinearSums(outputs=2)
    layer(user, candidate, SLATE)
    kernels = [RANDOM.normal(size=(rows, 2)).astype(np.float32) for rows in (3, 4)]
    layer.user.set_weights([kernels[0], np.array([0.5, -0.5], np.float32)])
    layer.candidate.set_weights([kernels[1]])
    found = layer(user, candidate, SLATE).numpy()
    for row, viewer in enumerate(SLATE.numpy()):
        expected = np.array([0.5, -0.5]) + user.numbers.numpy()[viewer] @ kernels[0]
        expected += candidate.numbers.numpy()[row] @ kernels[1]
        expected += user.vectors.numpy()[viewer].sum(axis=0) + candidate.vectors.numpy()[row].sum(axis=0)
        assert found[row] == pytest.approx(expected, abs=1e-5)


def test_a_linear_part_starts_from_the_weights_of_the_ids_alone():
    user, candidate = Fields(USER.numbers, USER.vectors * 0.0), Fields(CANDIDATE.numbers, CANDIDATE.vectors * 0.0)
    assert not LinearSums(outputs=K)(user, candidate, SLATE).numpy().any()
