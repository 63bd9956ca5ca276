"""Where keys stand in a sorted list."""

import numpy as np
import pytest
import tensorflow as tf

from training.layers.sorted_keys import SortedKeys

FIRST, LAST = -(2**63), 2**63 - 1


def hashes(count: int) -> np.ndarray:
    return np.unique(np.random.default_rng(1).integers(FIRST, LAST, count))


@pytest.mark.parametrize(
    "keys",
    [
        hashes(1000),  # Spread evenly, as hashes are.
        np.arange(-300, 700) * 3,  # All beside each other: one interval holds nearly all.
        np.array([FIRST, FIRST + 1, -1, 0, 1, LAST - 1, LAST]),
        np.array([5]),
        np.array([FIRST]),
        np.array([LAST]),
    ],
    ids=["hashes", "neighbours", "ends", "one", "lowest", "highest"],
)
def test_every_key_is_found_where_it_stands_and_its_neighbours_are_not(keys: np.ndarray):
    listed = SortedKeys(keys)
    place, known = listed.find(tf.constant(keys))
    assert np.array_equal(place, np.arange(len(keys)))
    assert np.all(known)
    others = np.setdiff1d(np.concatenate([keys[keys > FIRST] - 1, keys[keys < LAST] + 1, [FIRST, 0, LAST]]), keys)
    place, known = listed.find(tf.constant(others))
    assert not np.any(known)
    assert place.numpy().min() >= 0
    assert place.numpy().max() < len(keys)


def test_places_have_the_shape_of_the_keys():
    place, known = SortedKeys(np.array([2, 4, 6])).find(tf.constant([[[6, 2]], [[4, 5]]], tf.int64))
    assert place.numpy()[:, 0].tolist()[0] == [2, 0]
    assert known.numpy().tolist() == [[[True, True]], [[True, False]]]


def test_nothing_is_found_of_nothing():
    place, known = SortedKeys(np.array([2, 4])).find(tf.zeros([0, 3], tf.int64))
    assert place.shape == known.shape == (0, 3)


def test_hashes_take_a_few_steps_however_many_they_are():
    # 2¹⁶ hashes over as many intervals: the fullest has some eight, so 4 steps where the whole list takes 16.
    def gathers(keys: np.ndarray) -> int:
        find = tf.function(SortedKeys(keys).find).get_concrete_function(tf.TensorSpec([None], tf.int64))
        return sum(operation.type.endswith("Gather") for operation in find.graph.get_operations())

    assert gathers(hashes(2**16)) <= 2 + 4
