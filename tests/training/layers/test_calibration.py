"""Calibration against a world whose probabilities are known."""

import numpy as np
import pytest

from training.layers.calibration import Calibration, platt, scale

RNG = np.random.default_rng(3)
LOGIT = RNG.normal(-1.0, 1.5, 20_000)
TRUE = 1 / (1 + np.exp(-LOGIT))
LABELS = (RNG.random(20_000) < TRUE).astype(np.float32)
OVERCONFIDENT = (1 / (1 + np.exp(-(2 * LOGIT + 1)))).astype(np.float32)


def test_an_overconfident_model_is_drawn_back_to_what_is_true():
    slope, shift = platt(OVERCONFIDENT, LABELS)
    assert (slope, shift) == pytest.approx((0.5, -0.5), abs=0.05)  # logit true = (logit told − 1) / 2


def test_with_few_positives_a_head_stays_as_it_is():
    few = np.zeros(20_000, np.float32)
    few[:99] = 1.0
    assert platt(OVERCONFIDENT, few) == (1.0, 0.0)


def test_a_model_that_is_wrong_way_round_stays_as_it_is():
    assert platt(1 - OVERCONFIDENT, LABELS) == (1.0, 0.0)


def test_an_amount_is_scaled_to_its_mean():
    assert scale(np.full(400, 6.0, np.float32), np.resize([1.0, 3.0], 400)) == pytest.approx((1.0, np.log(2 / 6)))
    layer = Calibration(np.array([False]))
    layer.fit(np.full((400, 1), 6.0, np.float32), np.full((400, 1), 2.0, np.float32), np.ones((400, 1), np.bool_))
    assert layer(np.array([[3.0]], np.float32)).numpy() == pytest.approx(1.0)


def test_an_amount_with_few_labels_above_zero_stays_as_it_is():
    few = np.zeros(400, np.float32)
    few[:99] = 50.0
    assert scale(np.full(400, 6.0, np.float32), few) == (1.0, 0.0)


def test_masked_labels_and_amounts_without_labels_are_left_alone():
    layer = Calibration(np.array([True, False]))
    told = np.stack([OVERCONFIDENT, np.full(20_000, 7.0)], axis=1).astype(np.float32)
    labels = np.stack([LABELS, np.zeros(20_000)], axis=1).astype(np.float32)
    labels[:5_000, 0] = 1.0
    mask = np.ones((20_000, 2), np.bool_)
    mask[:5_000, 0] = False
    layer.fit(told, labels, mask)
    found = layer(told).numpy()
    assert np.abs(found[:, 0] - TRUE).max() < 0.03
    assert (found[:, 1] == 7.0).all()


def test_what_is_not_fitted_passes_through():
    layer = Calibration(np.array([True]))
    assert layer(OVERCONFIDENT[:100, np.newaxis]).numpy()[:, 0] == pytest.approx(OVERCONFIDENT[:100], abs=2e-6)
