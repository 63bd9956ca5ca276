"""Which leaf a row falls on, by comparing all splits at once."""

import numpy as np
import pytest
import tensorflow as tf

from training.boosting import Forest
from training.layers.trees import Trees

NAN, INF = float("nan"), float("inf")


def small_forest() -> Forest:
    """Two trees of up to three leaves: the first as drawn, the second is padding.

          column 0 ≤ 1, missing left
             /             \
      column 1 ≤ 2,         leaf 2
    missing right
      /       \
    leaf 0     leaf 1
    """
    forest = Forest.blank(2, 3)
    forest.columns[:, 0] = [0, 1]
    forest.thresholds[:, 0] = [1.0, 2.0]
    forest.missing_left[:, 0] = [True, False]
    forest.kept[:, 0] = [~0b011, ~0b001]
    return forest


def leaves(forest: Forest, user: list[list[float]], candidate: list[list[float]], slate: list[int] | None) -> list:
    """The leaves of a forest by `Trees`, a list of one number a tree for each row."""
    trees = Trees(forest.values.shape[0], forest.values.shape[1])
    trees.start(forest)
    rows = None if slate is None else tf.constant(slate, tf.int32)
    return trees(tf.constant(user), tf.constant(candidate), rows).numpy().tolist()


@pytest.mark.parametrize(
    ("user", "candidate", "leaf"),
    [
        (0.0, 0.0, 0),
        (1.0, 2.0, 0),  # Not greater than the threshold is left.
        (1.0, 2.5, 1),
        (1.5, 0.0, 2),
        (1.5, 9.0, 2),  # The second split rules leaf 0 out, but the first has done so already.
        (NAN, 0.0, 0),
        (0.0, NAN, 1),
        (NAN, NAN, 1),
        (2.0, NAN, 2),
        (INF, -INF, 1),  # What is not finite is missing.
        (3e38, -3e38, 2),
    ],
)
def test_a_row_falls_on_its_leaf(user: float, candidate: float, leaf: int):
    assert leaves(small_forest(), [[user]], [[candidate]], None) == [[leaf, 0]]


def test_one_viewer_is_read_for_all_candidates():
    assert leaves(small_forest(), [[0.0]], [[0.0], [3.0], [NAN]], None) == [[0, 0], [1, 0], [1, 0]]


def test_each_candidate_is_read_with_its_own_viewer():
    """Viewer 0 goes left and viewer 1 right, where the candidate does not matter."""
    found = leaves(small_forest(), [[0.0], [5.0]], [[0.0], [3.0], [0.0], [3.0]], [0, 0, 1, 1])
    assert [row[0] for row in found] == [0, 1, 2, 2]


def test_columns_beyond_the_users_are_the_candidates():
    """Column 3 of a viewer with two columns is the candidate's second."""
    forest = Forest.blank(1, 2)
    forest.columns[0, 0], forest.thresholds[0, 0], forest.kept[0, 0] = 3, 1.0, ~0b01
    assert leaves(forest, [[9.0, 9.0]], [[9.0, 0.0], [0.0, 9.0]], None) == [[0], [1]]


def test_a_tree_has_up_to_thirty_two_leaves():
    """A chain: split i is x ≤ i and parts leaf i from all that follow, so x falls on leaf ⌈x⌉."""
    forest = Forest.blank(1, 32)
    forest.thresholds[:, 0] = np.arange(31)
    forest.kept[:, 0] = [~np.int32(1 << i) for i in range(31)]
    forest.columns[:, 0] = 1
    values = [-4.0, 0.0, 0.5, 1.0, 17.5, 30.0, 30.5, 99.0]
    found = leaves(forest, [[0.0]], [[value] for value in values], None)
    assert found == [[0], [0], [1], [1], [18], [30], [31], [31]]


def test_the_forest_survives_a_checkpoint(tmp_path):
    kept, restored = Trees(2, 3), Trees(2, 3)
    kept.start(small_forest())
    tf.train.Checkpoint(trees=kept).write(str(tmp_path / "trees"))
    tf.train.Checkpoint(trees=restored).read(str(tmp_path / "trees")).assert_consumed()
    values = tf.constant([[0.0], [5.0]]), tf.constant([[3.0], [3.0]]), tf.constant([0, 1])
    assert restored(*values).numpy()[:, 0].tolist() == [1, 2]
