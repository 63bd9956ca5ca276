"""How the losses of several heads become one."""

from math import exp

import pytest
import tensorflow as tf

from training.layers.balance import FixedBalance, UncertaintyBalance

WEIGHTS = {"enter": 1.0, "gift": 2.0}
LOSSES = {"enter": tf.constant(0.5), "gift": tf.constant(0.25)}


def test_fixed_weights_are_those_of_the_configuration():
    assert float(FixedBalance(WEIGHTS)(LOSSES)) == pytest.approx(1.0)


def test_uncertainty_begins_as_fixed_weights():
    assert float(UncertaintyBalance(WEIGHTS)(LOSSES)) == pytest.approx(1.0)


def test_an_uncertain_head_counts_less_and_pays_for_it():
    balance = UncertaintyBalance(WEIGHTS)
    balance.log_variance["enter"].assign(1.0)
    assert float(balance(LOSSES)) == pytest.approx(exp(-1.0) * 0.5 + 0.5 + 0.5)
    assert float(balance.fixed(LOSSES)) == pytest.approx(1.0)  # Epochs are compared by the weights alone.
