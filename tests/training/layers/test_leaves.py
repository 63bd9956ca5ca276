"""The linear model over leaves."""

import numpy as np
import pytest
import tensorflow as tf

from training.boosting import Forest
from training.layers.leaves import LeafWeights


def forest(values: list[list[float]], grown: int) -> Forest:
    """Trees of two leaves, of which the first `grown` have a split."""
    found = Forest.blank(len(values), 2)
    found.values[:] = values
    found.kept[:, :grown] = ~0b01
    return found


def test_a_head_starts_with_what_its_own_trees_add():
    """Rows on leaves (0, 1, 0) and (1, 1, 1): output 2 has the first two trees, output 0 the third."""
    weights = LeafWeights(3, 2, 4)
    weights.start({2: forest([[0.1, 0.2], [0.3, 0.4]], grown=2), 0: forest([[5.0, 6.0]], grown=1)})
    found = weights(tf.constant([[0, 1, 0], [1, 1, 1]], tf.uint8)).numpy()
    assert found == pytest.approx(np.array([[5.0, 0.0, 0.1 + 0.4, 0.0], [6.0, 0.0, 0.2 + 0.4, 0.0]]), abs=1e-6)


def test_padding_never_learns():
    weights = LeafWeights(3, 2, 1)
    weights.start({0: forest([[0.1, 0.2], [0.3, 0.4], [0.0, 0.0]], grown=2)})
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(weights(tf.constant([[0, 1, 0]], tf.uint8)))
    gradient = tf.convert_to_tensor(tape.gradient(total, weights.table)).numpy()[:, :, 0]
    assert gradient == pytest.approx(np.array([[0.5**0.5, 0.0], [0.0, 0.5**0.5], [0.0, 0.0]]))


def test_a_step_moves_the_sum_by_the_root_of_the_number_of_trees():
    """Adam's first step moves each weight that has a gradient by its rate: 4 trees of 1/√4 give 2 rates."""
    weights = LeafWeights(4, 2, 1)
    weights.start({0: forest([[0.0, 0.0]] * 4, grown=4)})
    leaves = tf.constant([[0, 0, 1, 1]], tf.uint8)
    scale = weights.scale.numpy()
    assert np.square(scale).sum() == pytest.approx(1.0)
    weights.table.assign_add(0.01 * tf.ones([4, 2, 1]))
    assert float(weights(leaves)[0, 0]) == pytest.approx(0.02)


def test_without_a_tree_nothing_is_added():
    weights = LeafWeights(2, 2, 1)
    weights.start({0: forest([[0.0, 0.0]] * 2, grown=0)})
    assert weights(tf.constant([[0, 0]], tf.uint8)).numpy().tolist() == [[0.0]]
