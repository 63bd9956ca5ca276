"""Target attention over the watched sequence."""

import numpy as np
import pytest
import tensorflow as tf

from training.layers.inputs import History
from training.layers.target_attention import TargetAttention

RANDOM = np.random.default_rng(4)
CANDIDATE = RANDOM.normal(size=(5, 3)).astype(np.float32)
STEPS = RANDOM.normal(size=(2, 4, 6)).astype(np.float32)
MASK = np.array([[True, True, False, False], [True, True, True, False]])
SLATE = np.array([0, 1, 1, 0, 1], np.int32)
HISTORY = History(tf.constant(STEPS), tf.constant(MASK))


def attention(units: tuple[int, ...] = (7, 5)) -> TargetAttention:
    """A layer that has seen a batch, with a bend in Dice and with biases."""
    layer = TargetAttention(8, units)
    layer(CANDIDATE, HISTORY, SLATE, True)
    for variable in layer.trainable_variables:
        if "bias" in variable.name or "alpha" in variable.name:
            variable.assign(RANDOM.normal(size=variable.shape))
    return layer


def dense(layer, rows: np.ndarray) -> np.ndarray:
    kernel, bias = layer.get_weights()
    return rows @ kernel + bias


def dice(layer, rows: np.ndarray) -> np.ndarray:
    gate = 1 / (1 + np.exp(-(rows - layer.mean.numpy()) / np.sqrt(layer.variance.numpy() + 1e-8)))
    return rows * (gate + (1 - gate) * layer.alpha.numpy())


def weight(layer: TargetAttention, candidate: np.ndarray, step: np.ndarray) -> float:
    """The activation unit over concat(q, k, q − k, q ⊙ k), with any split of its first matrices."""
    q, k = dense(layer.query, candidate), dense(layer.key, step)
    of_key, bias = layer.of_key.get_weights()
    of_difference = RANDOM.normal(size=of_key.shape)  # W₃ is free: W₁ + W₃ and W₂ − W₃ are what is learnt.
    kernel = [layer.of_query.numpy() - of_difference, of_key + of_difference, of_difference, layer.of_product.numpy()]
    hidden = dice(layer.first, np.concatenate([q, k, q - k, q * k]) @ np.concatenate(kernel) + bias)
    for dense_layer, dice_layer in zip(layer.rest.layers, layer.rest.dices, strict=True):
        hidden = dice(dice_layer, dense(dense_layer, hidden))
    return dense(layer.score, hidden).item()


def expected(layer: TargetAttention) -> np.ndarray:
    return np.stack(
        [
            sum((weight(layer, c, step) * step for step in STEPS[u][MASK[u]]), np.zeros(6))
            for c, u in zip(CANDIDATE, SLATE, strict=True)
        ]
    )


@pytest.mark.parametrize("units", [(7,), (7, 5)])
def test_interest_is_the_sum_of_steps_by_the_activation_unit(units: tuple[int, ...]):
    layer = attention(units)
    assert layer(CANDIDATE, HISTORY, SLATE).numpy() == pytest.approx(expected(layer), abs=1e-4)


@pytest.mark.parametrize("viewer", [0, 1])
def test_one_viewer_is_served_as_in_a_batch(viewer: int):
    layer = attention()
    alone = History(HISTORY.steps[viewer : viewer + 1], HISTORY.mask[viewer : viewer + 1])
    mine = viewer == SLATE
    assert layer(CANDIDATE[mine], alone, None).numpy() == pytest.approx(expected(layer)[mine], abs=1e-4)


def test_a_hole_in_a_history_is_no_step():
    layer = attention()
    holed = History(HISTORY.steps[:1], tf.constant([[True, False, True, False]]))
    compact = History(tf.gather(HISTORY.steps[:1], [0, 2], axis=1), tf.constant([[True, True]]))
    slate = tf.zeros(5, tf.int32)
    wanted = layer(CANDIDATE, compact, slate).numpy()
    assert layer(CANDIDATE, holed, slate).numpy() == pytest.approx(wanted, abs=1e-5)
    assert layer(CANDIDATE, holed, None).numpy() == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize("training", [False, True])
def test_a_viewer_without_history_has_no_interest(training: bool):
    layer, nothing = attention(), History(HISTORY.steps, tf.zeros((2, 4), tf.bool))
    assert np.array_equal(layer(CANDIDATE, nothing, SLATE, training), np.zeros((5, 6)))
    alone = History(nothing.steps[:1], nothing.mask[:1])
    assert np.array_equal(layer(CANDIDATE, alone, None), np.zeros((5, 6)))


def test_padding_has_no_part_in_the_moments():
    layer = attention()
    longer = History(tf.pad(HISTORY.steps, [[0, 0], [0, 3], [0, 0]]), tf.pad(HISTORY.mask, [[0, 0], [0, 3]]))
    assert layer(CANDIDATE, longer, SLATE, True).numpy() == pytest.approx(
        layer(CANDIDATE, HISTORY, SLATE, True).numpy(), abs=1e-5
    )


def test_the_sum_of_weights_is_free():
    """Twice the same step is twice the interest, which a softmax would level."""
    layer = attention()
    once = History(HISTORY.steps[:1, :1], tf.constant([[True]]))
    twice = History(tf.repeat(once.steps, 2, axis=1), tf.constant([[True, True]]))
    assert layer(CANDIDATE, twice, None).numpy() == pytest.approx(
        2 * layer(CANDIDATE, once, None).numpy(), rel=1e-5, abs=1e-5
    )


def test_only_products_of_both_are_computed_for_each_pair():
    """No tensor of the graph holds the concatenation of the paper for each candidate and step."""
    layer = attention()
    graph = tf.function(lambda c, s, m: layer(c, History(s, m), None)).get_concrete_function(
        tf.TensorSpec((500, 3)), tf.TensorSpec((1, 50, 6)), tf.TensorSpec((1, 50), tf.bool)
    )
    products = [o for o in graph.graph.get_operations() if o.type == "MatMul"]
    assert max(o.inputs[0].shape[-1] or 0 for o in products) <= 8
