"""The direct path from what was watched to the rooms of the same streamers."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from feature_service.features.layout import CANDIDATE_IDS, HISTORY_FLOATS, HISTORY_IDS
from feature_service.features.schema import key_of
from tests.training.layers.blueprints import toy_blueprint
from training.layers.revisits import Revisits, signs

BLUEPRINT = toy_blueprint()
WIDTH = 4096  # So wide that two streamers hardly blur each other: the deviation of one product is 1/64.
ANNA, BERT, CARL = (key_of("streamer", name) for name in ("anna", "bert", "carl"))


@pytest.fixture
def layer() -> Revisits:
    """All visits weigh the same but for how many newer ones there are: f is 0, and its start log(e − 1)."""
    result = Revisits(BLUEPRINT, WIDTH)
    result.user(history([0]))
    result.gain.set_weights([np.zeros((16, 1)), np.full(1, np.log(np.e - 1) - 0.5)])
    return result


def history(streamers: list[int]) -> dict[str, tf.Tensor]:
    """The packed sequences of one viewer who watched these, newest first."""
    ids = np.array([[[key, 0] for key in streamers]], np.int64)
    return {HISTORY_IDS: tf.constant(ids), HISTORY_FLOATS: tf.zeros((1, len(streamers), 2))}


def rooms(*streamers: int) -> dict[str, tf.Tensor]:
    ids = [[key, 0, 0, 0, 0] for key in streamers]
    return {CANDIDATE_IDS: tf.constant(ids, tf.int64)}


def scores(layer: Revisits, watched: list[int]) -> np.ndarray:
    return (layer.user(history(watched)).numpy() @ layer.room(rooms(ANNA, BERT, CARL)).numpy().T)[0]


def test_a_key_has_length_one_and_no_other_is_like_it():
    keys = tf.constant([key_of("streamer", str(number)) for number in range(200)], tf.int64)
    products = signs(keys, 1024).numpy() @ signs(keys, 1024).numpy().T
    assert np.diag(products) == pytest.approx(np.ones(200), abs=1e-5)
    others = products[~np.eye(200, dtype=bool)]
    assert others.mean() == pytest.approx(0.0, abs=0.002)  # 19,900 pairs of deviation 1/32.
    assert others.std() == pytest.approx(1 / 32, rel=0.05)


def test_the_first_signs_are_the_bits_of_the_key():
    # 0b1101 has the bits 1, 0, 1, 1 from the lowest up, then zeros; √4 = 2.
    assert signs(tf.constant([13], tf.int64), 4).numpy()[0].tolist() == [0.5, -0.5, 0.5, 0.5]


def test_visits_to_a_streamer_add_up_and_later_ones_add_less(layer: Revisits):
    # Anna three times: 1 + 1/2 + 1/3; Bert once: 1; Carl never.
    expected = [11 / 6, 1.0, 0.0]
    assert scores(layer, [ANNA, BERT, ANNA, ANNA]) == pytest.approx(expected, abs=0.1)


def test_padding_is_no_visit(layer: Revisits):
    assert np.array_equal(scores(layer, [ANNA, 0, 0]), scores(layer, [ANNA]))
    assert not layer.user(history([0, 0])).numpy().any()


def test_a_known_streamer_starts_from_her_signs_and_a_stranger_keeps_them():
    known = int(BLUEPRINT.fitted.vocabularies["streamer"][0])
    layer, keys = Revisits(BLUEPRINT, 64), tf.constant([known, ANNA], tf.int64)
    assert layer.code(keys).numpy() == pytest.approx(signs(keys, 64).numpy(), abs=1e-6)
    layer.codes.assign(tf.ones_like(layer.codes))
    # Sixty-four ones at length 1 are 1/8 each.
    assert layer.code(keys).numpy() == pytest.approx(np.stack([np.full(64, 1 / 8), signs(keys, 64).numpy()[1]]))


def test_a_visit_tells_of_streamers_whose_codes_are_alike():
    one, two, three = (int(key) for key in BLUEPRINT.fitted.vocabularies["streamer"][:3])
    layer = Revisits(BLUEPRINT, 2)
    layer.user(history([0]))
    layer.gain.set_weights([np.zeros((16, 1)), np.full(1, np.log(np.e - 1) - 0.5)])
    layer.codes.assign(tf.tensor_scatter_nd_update(layer.codes, [[0], [1], [2]], [[2.0, 0.0], [0.6, 0.8], [0.0, 5.0]]))
    products = layer.user(history([one])).numpy() @ layer.room(rooms(one, two, three)).numpy().T
    # One visit weighs 1; the codes are (1, 0), (.6, .8) and (0, 1) at length 1.
    assert products[0] == pytest.approx([1.0, 0.6, 0.0], abs=1e-5)


def test_training_moves_the_codes_of_known_streamers():
    one, two = (int(key) for key in BLUEPRINT.fitted.vocabularies["streamer"][:2])
    layer = Revisits(BLUEPRINT, 64)
    with tf.GradientTape() as tape:
        product = tf.reduce_sum(layer.user(history([one, ANNA])) * layer.room(rooms(two)))
    gradient = tf.convert_to_tensor(tape.gradient(product, layer.codes)).numpy()
    assert np.isfinite(gradient).all()
    assert np.flatnonzero(np.abs(gradient).max(axis=1)).tolist() == [0, 1]


def test_the_weight_of_a_visit_can_be_learnt():
    layer = Revisits(BLUEPRINT, 64)
    with tf.GradientTape() as tape:
        product = tf.reduce_sum(layer.user(history([ANNA])) * layer.room(rooms(ANNA)))
    gradients: Any = tape.gradient(product, layer.gain.trainable_variables)
    assert all(np.abs(gradient.numpy()).max() > 0 for gradient in gradients)


def test_without_the_streamers_of_both_sides_there_is_no_such_path():
    assert Revisits.possible(BLUEPRINT.layout)
    assert not Revisits.possible(BLUEPRINT.layout.select([CANDIDATE_IDS]))
