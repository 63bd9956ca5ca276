"""Raw values of packed tensors become dense rows."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from feature_service.features.layout import (
    CANDIDATE_FLOATS,
    CANDIDATE_IDS,
    CANDIDATE_VECTORS,
    HISTORY_FLOATS,
    HISTORY_IDS,
    USER_FLOATS,
)
from feature_service.features.schema import key_of
from tests.training.layers.blueprints import embeddings_of, toy_blueprint
from tests.training.worlds import CATEGORIES, STEPS, toy_world
from training.layers.inputs import FloatInputs, HistoryInputs, IdInputs, UserInputs

BLUEPRINT = toy_blueprint()
USERS = {name: tf.constant(values) for name, values in toy_world(6, seed=2).samples.slates.tensors.items()}


def floats(tensor: str, *rows: list[float]) -> np.ndarray:
    return FloatInputs(BLUEPRINT.layout[tensor], BLUEPRINT)(tf.constant(rows, tf.float32)).numpy()


def test_log_values_are_standardised_after_log1p():
    mean, scale = BLUEPRINT.fitted.means["room.viewers"][0], BLUEPRINT.fitted.scales["room.viewers"][0]
    result = floats(CANDIDATE_FLOATS, [np.expm1(mean), 0.0], [np.expm1(mean + scale), 0.0])
    assert result[:, 0] == pytest.approx([0.0, 1.0], abs=1e-4)


def test_linear_values_are_standardised_as_they_are():
    mean, scale = BLUEPRINT.fitted.means["user.enter.decayed"], BLUEPRINT.fitted.scales["user.enter.decayed"]
    result = floats(USER_FLOATS, [0.0, mean[0] + scale[0], mean[1] - 0.5 * scale[1]])
    assert result[0, 1:] == pytest.approx([1.0, -0.5], abs=1e-5)


def test_flags_pass_as_they_are():
    assert floats(CANDIDATE_FLOATS, [1.0, 1.0], [1.0, 0.0])[:, 1] == pytest.approx([1.0, 0.0])


def test_far_values_are_clipped_to_five_deviations():
    assert floats(USER_FLOATS, [1e38, 1e38, -1e38])[0] == pytest.approx([5.0, 5.0, -5.0])


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_counts_as_the_mean(broken: float):
    assert floats(USER_FLOATS, [broken, broken, broken])[0] == pytest.approx([0.0, 0.0, 0.0])


def test_a_negative_count_is_taken_as_none():
    assert floats(CANDIDATE_FLOATS, [-3.0, 0.0])[0, 0] == floats(CANDIDATE_FLOATS, [0.0, 0.0])[0, 0]


def test_a_vector_is_projected():
    assert floats(CANDIDATE_VECTORS, [1.0] + [0.0] * (CATEGORIES - 1)).shape == (1, BLUEPRINT.sizes.vector)


def words(*keys: int) -> np.ndarray:
    """The part of a candidate's embedding that belongs to its title."""
    layer = IdInputs(BLUEPRINT.layout[CANDIDATE_IDS], BLUEPRINT, EMBEDDINGS)
    return layer(tf.constant([[1, *keys, 1]], tf.int64)).numpy()[0, 4:8]


EMBEDDINGS = embeddings_of(BLUEPRINT)


def test_a_title_is_the_mean_of_its_words():
    first, second = key_of("word", "0"), key_of("word", "5")
    mean = (words(first, 0, 0) + words(second, 0, 0)) / 2
    assert words(first, second, 0) == pytest.approx(mean, abs=1e-6)


def test_an_empty_title_is_the_zero_vector():
    assert words(0, 0, 0) == pytest.approx(np.zeros(4))


def test_keys_are_hidden_in_training_only():
    blueprint = toy_blueprint({"streamer.id": 1.0})
    layer = IdInputs(blueprint.layout[CANDIDATE_IDS], blueprint, embeddings_of(blueprint))
    ids = tf.constant([[key_of("streamer", str(n)), 0, 0, 0, key_of("category", "1")] for n in range(8)], tf.int64)
    served, trained = layer(ids).numpy(), layer(ids, tf.constant(1, tf.int64)).numpy()
    assert len(np.unique(served[:, :4], axis=0)) == 8
    assert len(np.unique(trained[:, :4], axis=0)) <= blueprint.sizes.unseen_rows
    assert np.array_equal(served[:, 8:], trained[:, 8:])


def test_which_keys_are_hidden_depends_on_the_step_alone():
    blueprint = toy_blueprint({"streamer.id": 0.5})
    layer = IdInputs(blueprint.layout[CANDIDATE_IDS], blueprint, embeddings_of(blueprint))
    ids = tf.constant([[key_of("streamer", str(n)), 0, 0, 0, 0] for n in range(32)], tf.int64)
    first, again, later = (layer(ids, tf.constant(step, tf.int64)).numpy() for step in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, later)


def test_a_step_is_real_if_it_has_a_key():
    history = HistoryInputs(BLUEPRINT, embeddings_of(BLUEPRINT))
    ids = np.zeros((1, STEPS, 2), np.int64)
    ids[0, :2] = [[5, 6], [0, 6]]
    result = history({HISTORY_IDS: tf.constant(ids), HISTORY_FLOATS: tf.zeros((1, STEPS, 2))})
    assert result.mask.numpy().tolist() == [[True, True, False, False, False]]
    assert result.steps.shape == (1, STEPS, 2 * BLUEPRINT.sizes.embedding + 2)


def test_padding_behind_a_history_does_not_change_the_viewer():
    layer = UserInputs(BLUEPRINT, embeddings_of(BLUEPRINT))
    longer = dict(USERS)
    for name in (HISTORY_IDS, HISTORY_FLOATS):
        padding = tf.zeros_like(USERS[name])
        longer[name] = tf.concat([USERS[name], padding], axis=1)
    assert layer(longer).numpy() == pytest.approx(layer(USERS).numpy(), abs=1e-6)


def test_a_viewer_without_history_has_a_finite_row():
    empty = USERS | {name: tf.zeros_like(USERS[name]) for name in (HISTORY_IDS, HISTORY_FLOATS)}
    assert np.isfinite(UserInputs(BLUEPRINT, embeddings_of(BLUEPRINT))(empty)).all()


def test_a_viewer_can_be_a_history_alone():
    blueprint = toy_blueprint()
    alone = replace(blueprint, layout=blueprint.layout.select((HISTORY_FLOATS, HISTORY_IDS)))
    assert UserInputs(alone, embeddings_of(alone))(USERS).shape == (6, 2 * blueprint.sizes.embedding + 2)
