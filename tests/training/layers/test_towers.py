"""Towers over viewer and candidates."""

import numpy as np
import pytest
import tensorflow as tf

from training.layers.crosses import Match
from training.layers.experts import MixtureOfExperts
from training.layers.towers import HeadTower, JointDense, UnitTower

RANDOM = np.random.default_rng(3)
USER = tf.constant(RANDOM.normal(size=(2, 3)), tf.float32)
CANDIDATE = tf.constant(RANDOM.normal(size=(5, 4)), tf.float32)
SLATE = tf.constant([0, 0, 1, 1, 1], tf.int32)


def test_a_joint_layer_is_a_dense_layer_over_both_sides():
    layer = JointDense(6, "relu")
    result = layer(USER, CANDIDATE, SLATE)
    (user_kernel, bias), (candidate_kernel,) = layer.user.get_weights(), layer.candidate.get_weights()
    both = np.concatenate([USER.numpy()[SLATE.numpy()], CANDIDATE.numpy()], axis=1)
    expected = np.maximum(both @ np.concatenate([user_kernel, candidate_kernel]) + bias, 0.0)
    assert result.numpy() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("layer", [JointDense(6), Match(6), MixtureOfExperts(experts=2, sizes=(6, 5), tasks=3)])
def test_one_viewer_broadcasts_as_if_repeated(layer):
    one = layer(USER[:1], CANDIDATE, None)
    assert one.numpy() == pytest.approx(layer(USER, CANDIDATE, tf.zeros(5, tf.int32)).numpy(), abs=1e-6)


def test_a_match_is_the_product_of_two_projections():
    match = Match(6)
    result = match(USER, CANDIDATE, SLATE).numpy()
    assert result == pytest.approx((match.user(USER).numpy()[SLATE.numpy()] * match.candidate(CANDIDATE)).numpy())


def test_a_head_without_evidence_answers_its_base_rate():
    head = HeadTower((4,), prior=np.array([-1.25, 0.5], np.float32))
    assert head(tf.zeros((2, 3))).numpy().tolist() == [[-1.25, 0.5], [-1.25, 0.5]]


def test_a_mixture_weighs_its_experts_by_the_gate_of_each_task():
    mixture = MixtureOfExperts(experts=2, sizes=(6, 5), tasks=3)
    result = mixture(USER, CANDIDATE, SLATE).numpy()
    opinions = np.stack([expert(USER, CANDIDATE, SLATE).numpy() for expert in mixture.experts], axis=1)
    scores = mixture.gates(USER, CANDIDATE, SLATE).numpy().reshape(5, 3, 2)
    weights = np.exp(scores) / np.exp(scores).sum(axis=-1, keepdims=True)
    for task in range(3):
        assert result[:, task] == pytest.approx((weights[:, task, :, None] * opinions).sum(axis=1), abs=1e-5)


def test_experts_start_different():
    mixture = MixtureOfExperts(experts=3, sizes=(6, 5), tasks=2)
    mixture(USER, CANDIDATE, SLATE)
    kernels = [expert.first.candidate.get_weights()[0] for expert in mixture.experts]
    assert not np.allclose(kernels[0], kernels[1])
    assert not np.allclose(kernels[1], kernels[2])


def test_a_unit_tower_is_its_hidden_layers_beside_its_input_at_length_one():
    tower = UnitTower((5,), 3)
    result = tower(USER).numpy()
    (hidden_kernel, hidden_bias), (kernel, bias) = tower.tower.layers[0].get_weights(), tower.vector.get_weights()
    hidden = np.maximum(USER.numpy() @ hidden_kernel + hidden_bias, 0.0)
    vectors = np.concatenate([hidden, USER.numpy()], axis=1) @ kernel + bias
    assert result == pytest.approx(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), abs=1e-5)
