"""Both sides as fields."""

import numpy as np
import pytest
import tensorflow as tf

from feature_service.features.layout import HISTORY_FLOATS, HISTORY_IDS, USER_IDS, Layout
from tests.training.layers.blueprints import embeddings_of, toy_blueprint
from tests.training.worlds import STEPS, toy_world
from training.layers.blueprint import Blueprint
from training.layers.fields import Fields, SideFields, UserFields

BLUEPRINT = toy_blueprint()
EMBEDDINGS = embeddings_of(BLUEPRINT)
SIZE = BLUEPRINT.sizes.embedding
SAMPLES = toy_world(6, seed=2).samples
USERS = {name: tf.constant(values) for name, values in SAMPLES.slates.tensors.items()}
ROOMS = {name: tf.constant(values) for name, values in SAMPLES.candidates.tensors.items()}


def blueprint_of(*tensors: str) -> Blueprint:
    """The toy blueprint with these tensors alone."""
    return Blueprint(
        layout=Layout(BLUEPRINT.layout.select(tensors).tensors, BLUEPRINT.layout.heads),
        encodings=BLUEPRINT.encodings,
        fitted=BLUEPRINT.fitted,
        sizes=BLUEPRINT.sizes,
        head_weights=BLUEPRINT.head_weights,
    )


def test_each_id_feature_is_a_vector_and_each_number_a_number():
    fields = SideFields(BLUEPRINT.candidate_layout, BLUEPRINT, EMBEDDINGS)(ROOMS)
    assert fields.vectors.shape == (48, 3, SIZE)  # Streamer, title, category.
    assert fields.numbers.shape == (48, 2 + BLUEPRINT.sizes.vector)  # Viewers, followed, the projected content.


def test_the_fields_of_a_viewer_end_in_the_means_of_the_history():
    layer = UserFields(BLUEPRINT, EMBEDDINGS)
    ids = USERS[HISTORY_IDS].numpy().copy()
    ids[:, 3:] = 0  # Three real steps of five.
    fields = layer(USERS | {HISTORY_IDS: tf.constant(ids)})
    streamers = EMBEDDINGS(tf.constant(ids[:, :3, :1]), ["streamer"]).numpy()[:, :, 0]
    assert fields.vectors.shape == (6, 4, SIZE)
    assert fields.vectors.numpy()[:, 2] == pytest.approx(streamers.mean(axis=1), abs=1e-6)
    steps = layer.history[HISTORY_FLOATS](USERS[HISTORY_FLOATS]).numpy()
    assert fields.numbers.numpy()[:, 3:] == pytest.approx(steps[:, :3].mean(axis=1), abs=1e-5)


def test_a_viewer_without_history_has_zeros_for_it():
    empty = {HISTORY_IDS: tf.zeros([6, STEPS, 2], tf.int64)}
    fields = UserFields(BLUEPRINT, EMBEDDINGS)(USERS | empty)
    assert np.all(fields.vectors.numpy()[:, 2:] == 0)
    assert np.all(fields.numbers.numpy()[:, 3:] == 0)


def test_a_side_of_ids_alone_has_no_numbers():
    fields = UserFields(blueprint_of(USER_IDS), EMBEDDINGS)(USERS)
    assert fields.numbers.shape == (6, 0)
    assert fields.vectors.shape == (6, 2, SIZE)


def test_a_row_holds_numbers_and_then_vectors():
    fields = Fields(tf.constant([[1.0, 2.0]]), tf.constant([[[3.0, 4.0], [5.0, 6.0]]]))
    assert fields.row.numpy().tolist() == [[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]]


def test_vectors_part_into_factors_and_weights():
    fields = Fields(tf.zeros([1, 0]), tf.constant([[[3.0, 4.0, 5.0]]]))
    factors, weights = fields.split(1)
    assert factors.vectors.numpy().tolist() == [[[3.0]]]
    assert weights.vectors.numpy().tolist() == [[[4.0, 5.0]]]
