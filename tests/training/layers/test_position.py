"""The bias of a place in the slate."""

import numpy as np
import tensorflow as tf

from training.layers.position import PLACES, PositionBias


def bias() -> PositionBias:
    layer = PositionBias(np.array([True, False]))
    layer(tf.constant([0]))
    layer.table.assign(tf.reshape(tf.range(2.0 * PLACES), (PLACES, 2)))
    return layer


def test_each_place_has_a_number_for_each_logit_and_none_for_other_outputs():
    assert bias()(tf.constant([0, 3])).numpy().tolist() == [[0.0, 0.0], [6.0, 0.0]]


def test_an_unknown_place_has_none_and_far_places_share_the_last():
    assert bias()(tf.constant([-1, 400])).numpy().tolist() == [[0.0, 0.0], [2.0 * (PLACES - 1), 0.0]]
