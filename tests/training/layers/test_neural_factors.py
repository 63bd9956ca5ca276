"""Products of factors, and the tower over pairs."""

import numpy as np
import pytest
import tensorflow as tf

from training.layers.neural_factors import GeneralisedFactors, Pairs, PairTower

USERS = tf.constant([[1.0, 2.0], [0.0, -1.0]])
STREAMERS = tf.constant([[3.0, 4.0], [5.0, 0.0], [1.0, 1.0]])
PAIRS = Pairs(tf.constant([0, 1, 1]), tf.constant([2, 0, 0]))


def test_with_weights_of_one_the_factors_are_matrix_factorisation():
    layer = GeneralisedFactors(2)
    layer.h.assign([[1.0, 1.0]])
    # ⟨(1, 2), (1, 1)⟩ = 3; ⟨(0, −1), (3, 4)⟩ = −4.
    assert layer(USERS, STREAMERS, PAIRS).numpy() == pytest.approx([3.0, -4.0, -4.0])


def test_each_factor_has_its_weight():
    layer = GeneralisedFactors(2)
    layer.h.assign([[10.0, 1.0]])
    layer.b.assign(0.5)
    # 10·1·1 + 1·2·1 + .5 = 12.5; 10·0·3 − 1·1·4 + .5 = −3.5.
    assert layer(USERS, STREAMERS, PAIRS).numpy() == pytest.approx([12.5, -3.5, -3.5])


def test_the_tower_is_a_dense_one_over_both_vectors_side_by_side():
    layer = PairTower((4, 3))
    logits = layer(USERS, STREAMERS, PAIRS).numpy()
    both = np.hstack([USERS.numpy()[[0, 1, 1]], STREAMERS.numpy()[[2, 0, 0]]])
    user_kernel, bias = layer.user.get_weights()
    hidden = np.maximum(both @ np.vstack([user_kernel, *layer.streamer.get_weights()]) + bias, 0.0)
    for dense in layer.rest.layers:
        kernel, bias = dense.get_weights()
        hidden = np.maximum(hidden @ kernel + bias, 0.0)
    kernel, bias = layer.output_layer.get_weights()
    assert logits == pytest.approx((hidden @ kernel + bias)[:, 0], abs=1e-5)


@pytest.mark.parametrize("layer", [GeneralisedFactors(2), PairTower((4, 3))], ids=["factors", "tower"])
def test_one_viewer_meets_all_streamers_as_in_pairs(layer: GeneralisedFactors | PairTower):
    pairs = Pairs(tf.constant([1, 1, 1]), tf.constant([0, 1, 2]))
    assert layer(USERS[1:], STREAMERS, None).numpy() == pytest.approx(layer(USERS, STREAMERS, pairs).numpy())
