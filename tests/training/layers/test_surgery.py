"""Gradient surgery, against the algorithm of the paper written over vectors."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from training.layers.surgery import joined, projected

STEP = tf.constant(3, tf.int64)


def as_in_the_paper(gradients: np.ndarray, order: np.ndarray) -> np.ndarray:
    """PCGrad, algorithm 1: each gradient loses, in turn, what points against the others as they were; then the sum."""
    found: list[np.ndarray] = []
    for place, gradient in enumerate(gradients):
        left = gradient.copy()
        for other in order[place]:
            product = left @ gradients[other]
            if other != place and product < 0:
                left -= product / (gradients[other] @ gradients[other]) * gradients[other]
        found.append(left)
    return np.sum(found, axis=0)


def dense(gradient: Any, rows: int) -> np.ndarray:
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient.numpy()
    table = np.zeros((rows, gradient.values.numpy().shape[1]), np.float32)
    np.add.at(table, gradient.indices.numpy(), gradient.values.numpy())
    return table


def constants(*gradients: list[float]) -> list[list[tf.Tensor]]:
    return [[tf.constant(each)] for each in gradients]


@pytest.mark.parametrize("seed", range(5))
def test_conflicts_are_taken_out_as_in_the_paper(seed: int):
    rng = np.random.default_rng(seed)
    gradients = rng.normal(size=(5, 3))  # Five heads in three dimensions: some conflict.
    order = np.stack([rng.permutation(5) for _ in range(5)]).astype(np.int32)
    weights = projected(tf.constant(gradients @ gradients.T, tf.float32), tf.constant(order)).numpy()
    assert weights @ gradients == pytest.approx(as_in_the_paper(gradients, order), abs=1e-4)
    assert np.abs(weights - 1).max() > 0.01


def test_two_heads_that_conflict_each_lose_their_share():
    # (1, 0) and (−1, 1): the product is −1. (1, 0) + 1/2 · (−1, 1) = (1/2, 1/2), and (−1, 1) + (1, 0) = (0, 1).
    (found,) = joined(constants([1.0, 0.0], [-1.0, 1.0]), 2, STEP)
    assert found.numpy() == pytest.approx([0.5, 1.5])


def test_heads_that_agree_are_added_up():
    (found,) = joined(constants([1.0, 0.0], [1.0, 1.0]), 2, STEP)
    assert found.numpy() == pytest.approx([2.0, 1.0])


def test_a_head_without_any_gradient_changes_nothing():
    (found,) = joined(constants([1.0, 0.0], [0.0, 0.0]), 2, STEP)
    assert found.numpy() == pytest.approx([1.0, 0.0])


def test_what_is_no_head_is_added_as_it_is():
    # Two heads that conflict as above, and a penalty against both.
    (found,) = joined(constants([1.0, 0.0], [-1.0, 1.0], [-1.0, -1.0]), 2, STEP)
    assert found.numpy() == pytest.approx([-0.5, 0.5])


def test_variables_of_one_head_are_left_to_it():
    own = tf.constant([7.0])
    shared, first, nobody = joined(
        [[tf.constant([1.0, 0.0]), own, None], [tf.constant([-1.0, 1.0]), None, None]], 2, STEP
    )
    assert shared.numpy() == pytest.approx([0.5, 1.5])
    assert first.numpy() == pytest.approx([7.0])
    assert nobody is None


def test_gradients_are_one_vector_over_all_that_is_shared():
    # Apart, the second variable would conflict, 1 · −1; together the products are 4 − 1 > 0, and nothing is taken out.
    gradients = [[tf.constant([2.0]), tf.constant([1.0])], [tf.constant([2.0]), tf.constant([-1.0])]]
    found = joined(gradients, 2, STEP)
    assert [float(each[0]) for each in found] == pytest.approx([4.0, 0.0])


def test_the_rows_of_a_table_count_as_the_table_does():
    """A row that a batch has twice is one row, and heads that have other rows of a table do not meet there."""
    first = tf.IndexedSlices(tf.constant([[1.0], [1.0], [2.0]]), tf.constant([4, 4, 1]), tf.constant([6, 1]))
    second = tf.IndexedSlices(tf.constant([[-1.0], [3.0]]), tf.constant([4, 0]), tf.constant([6, 1]))
    (found,) = joined([[first], [second]], 2, STEP)
    (whole,) = joined([[tf.constant(dense(first, 6))], [tf.constant(dense(second, 6))]], 2, STEP)
    assert dense(found, 6) == pytest.approx(whole.numpy())


def test_the_order_of_heads_changes_with_the_step_and_repeats_with_it():
    rng = np.random.default_rng(8)
    gradients = [[tf.constant(each, tf.float32)] for each in rng.normal(size=(6, 3))]
    found = [joined(gradients, 6, tf.constant(step, tf.int64))[0].numpy() for step in (1, 2, 1)]
    assert np.array_equal(found[0], found[2])
    assert not np.allclose(found[0], found[1])
