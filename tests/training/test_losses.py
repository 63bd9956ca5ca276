"""Losses against values derived by hand."""

from math import exp, log, log1p

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_recommenders as tfrs
import tf_keras as keras

from training.losses import (
    Frequencies,
    append_correction,
    binary_cross_entropy,
    frequency_slots,
    log_normal_loss,
    log_sampling_probability,
    mixture_log_probability,
    product_cross_entropy,
    update_frequencies,
    zero_inflated_loss,
)


def sigmoid(x: float) -> float:
    return 1.0 / (1.0 + exp(-x))


def vector(*values: float) -> tf.Tensor:
    return tf.constant(values, tf.float32)


def test_binary_cross_entropy_is_the_mean_over_what_is_not_masked():
    loss = binary_cross_entropy(vector(1, 0, 1), vector(3.0, 4.0, -9.0), vector(1, 1, 0))
    # (-log σ(3) - log(1 - σ(4))) / 2
    assert float(loss) == pytest.approx((-log(sigmoid(3)) - log(1 - sigmoid(4))) / 2, rel=1e-5)


RAW_ONE = log(exp(1.0) - 1.0)
"""The raw spread whose softplus is 1."""


def test_a_duration_that_was_seen_to_its_end_costs_its_squared_distance_in_spreads():
    labels = tf.constant([[0.0, 0.0], [99.0, 0.0]])
    loss = log_normal_loss(labels, tf.constant([[1.0, RAW_ONE], [log1p(99.0), RAW_ONE]]))
    assert float(loss) == pytest.approx(0.25)  # σ = 1: (½ (0 − 1)² + ½ 0²) / 2, and log σ = 0.


def test_a_duration_that_was_cut_off_costs_the_surprise_that_it_lasted_so_long():
    def cost(mu: float) -> float:
        return float(log_normal_loss(tf.constant([[99.0, 1.0]]), tf.constant([[mu, RAW_ONE]])))

    assert cost(log1p(99.0)) == pytest.approx(log(2.0), rel=1e-5)  # Half of all last longer than the median.
    assert cost(log1p(99.0) + 30.0) == pytest.approx(0.0, abs=1e-6)
    # Far beyond float32's reach of erfc the surprise is that of the asymptote: ½z² + log z + ½ log 2π.
    assert cost(log1p(99.0) - 40.0) == pytest.approx(800.0 + log(40.0) + 0.5 * log(2 * np.pi), rel=1e-3)


@pytest.mark.parametrize("z", [-3.0, 4.9, 5.1, 12.0])
def test_the_surprise_of_a_cut_has_a_finite_gradient(z: float):
    outputs = tf.constant([[log1p(99.0) - z, RAW_ONE]])
    with tf.GradientTape() as tape:
        tape.watch(outputs)
        loss = log_normal_loss(tf.constant([[99.0, 1.0]]), outputs)
    gradient = tape.gradient(loss, outputs).numpy()  # pyright: ignore[reportAttributeAccessIssue]
    assert np.isfinite(gradient).all()
    assert gradient[0, 0] <= 0.0


def test_an_amount_of_zero_says_only_that_there_was_none():
    loss = zero_inflated_loss(vector(0.0, 8.0), tf.constant([[2.0, 5.0, 1.0], [2.0, log(8.0), RAW_ONE]]))
    # −log(1 − σ(2)) of the first; −log σ(2) and a law that is right at its mean, with σ = 1, of the second.
    assert float(loss) == pytest.approx((-log(1 - sigmoid(2)) - log(sigmoid(2))) / 2, rel=1e-5)


def test_product_cross_entropy_is_that_of_the_product():
    pairs = tf.constant([[0.5, -1.0], [2.0, 0.3]])
    first, second = sigmoid(0.5) * sigmoid(-1.0), sigmoid(2.0) * sigmoid(0.3)
    loss = product_cross_entropy(vector(1, 0), pairs)
    assert float(loss) == pytest.approx((-log(first) - log(1 - second)) / 2, rel=1e-5)


def test_product_cross_entropy_is_finite_where_the_product_is_0_or_1():
    pairs = tf.constant([[90.0, 90.0], [-90.0, -90.0], [90.0, -90.0]])
    with tf.GradientTape() as tape:
        tape.watch(pairs)
        loss = product_cross_entropy(vector(0, 1, 1), pairs)
    # -log(1 - σ(90)²) ≈ 90 - log 2, -log(σ(-90)²) = 180, -log σ(-90) = 90
    assert float(loss) == pytest.approx((90 - log(2) + 180 + 90) / 3, rel=1e-5)
    assert np.isfinite(tape.gradient(loss, pairs)).all()  # pyright: ignore[reportArgumentType, reportCallIssue]


def test_a_conversion_without_a_click_teaches_the_click_alone():
    """At a → −∞ the product is 0 whatever b is, so an exposure that nobody clicked says nothing of the conversion."""
    pairs = tf.constant([[-30.0, 0.5]])
    with tf.GradientTape() as tape:
        tape.watch(pairs)
        loss = product_cross_entropy(vector(0), pairs)
    assert tape.gradient(loss, pairs).numpy()[0] == pytest.approx([0.0, 0.0], abs=1e-6)  # pyright: ignore[reportAttributeAccessIssue]


LOSSES = [
    (binary_cross_entropy, [1, 0, 1], [0.3, -2.0, 5.0]),
    (log_normal_loss, [[9, 0], [5, 1], [3, 1]], [[0.3, 1.0], [-2.0, 1.0], [5.0, 1.0]]),
    (zero_inflated_loss, [9, 0, 3], [[0.3, 1.0, 1.0], [-2.0, 1.0, 1.0], [5.0, 1.0, 1.0]]),
]


@pytest.mark.parametrize(("loss", "labels", "raw"), LOSSES)
def test_a_masked_example_has_no_gradient(loss, labels, raw):
    outputs = tf.constant(raw, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(outputs)
        value = loss(tf.constant(labels, tf.float32), outputs, vector(1, 0, 1))
    gradient = tape.gradient(value, outputs).numpy()  # pyright: ignore[reportAttributeAccessIssue]
    assert not gradient[1].any()
    assert gradient[0].any()


@pytest.mark.parametrize(("loss", "labels", "raw"), LOSSES)
def test_a_batch_without_labels_costs_nothing(loss, labels, raw):
    assert float(loss(tf.constant(labels, tf.float32), tf.constant(raw, tf.float32), vector(0, 0, 0))) == 0.0


def test_the_gradient_of_binary_cross_entropy_is_probability_minus_label():
    logits = vector(0.7, -0.2)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = binary_cross_entropy(vector(1, 0), logits)
    expected = [(sigmoid(0.7) - 1) / 2, sigmoid(-0.2) / 2]
    assert tape.gradient(loss, logits).numpy() == pytest.approx(expected, rel=1e-5)  # pyright: ignore[reportAttributeAccessIssue]


def state(gaps: list[list[float]], last: float = 0.0) -> Frequencies:
    return Frequencies(tf.fill((len(gaps), len(gaps[0])), last), tf.constant(gaps, tf.float32))


def test_a_hit_moves_the_gap_towards_the_steps_since_the_last_one():
    after = update_frequencies(state([[10.0, 10.0]], last=4.0), tf.constant([[1, 1]], tf.int64), tf.constant(6.0), 0.25)
    # B ← 0.75 · 10 + 0.25 · (6 − 4) = 8, once, though hit twice; the other slot stays.
    assert after.gap.numpy().tolist() == [[10.0, 8.0]]
    assert after.last_step.numpy().tolist() == [[4.0, 6.0]]


def test_the_longest_gap_of_several_hashes_counts():
    slots = tf.constant([[0, 1], [1, 1]], tf.int64)
    result = log_sampling_probability(tf.constant([[2.0, 8.0], [4.0, 5.0]]), slots)
    assert result.numpy() == pytest.approx([-log(5), -log(8)])


def test_no_item_is_likelier_than_certain():
    assert log_sampling_probability(tf.constant([[0.1]]), tf.constant([[0]], tf.int64)).numpy() == pytest.approx([0.0])


def test_hashes_read_different_bits_of_a_key():
    slots = frequency_slots(tf.constant([5, -5], tf.int64), hashes=2, slots=16).numpy()
    assert slots.shape == (2, 2)
    assert slots.min() >= 0
    assert slots[0].tolist() == [5, 11]  # 5 mod 16 and −5 mod 16.
    assert slots[1].tolist() == [0, 15]  # 5 >> 31 = 0, −5 >> 31 = −1.


def test_the_estimate_finds_the_frequencies_of_a_zipf_stream():
    """Items come with p ∝ 1/rank, 64 a batch; the chance that a batch has item i is 1 − (1 − p_i)^64."""
    random = np.random.default_rng(5)
    probability = 1.0 / np.arange(1, 201)
    probability /= probability.sum()
    slots = tf.range(200, dtype=tf.int64)[tf.newaxis]
    estimate = state([[50.0] * 200])
    update = tf.function(update_frequencies, reduce_retracing=True)
    means = np.zeros(200)
    for step in range(1, 3001):
        batch = tf.constant(np.unique(random.choice(200, 64, p=probability))[np.newaxis])
        estimate = update(estimate, batch, tf.constant(float(step)), 0.02)
        if step > 1000:
            means += log_sampling_probability(estimate.gap, slots).numpy() / 2000
    true = np.log(1 - (1 - probability) ** 64)
    assert np.abs(means - true)[:100].max() < 0.25
    assert np.abs(means - true)[:100].mean() < 0.1


def test_a_mixture_counts_the_copies_from_both_sources():
    result = mixture_log_probability(vector(log(0.5), log(1e-9)), tf.constant(0.25))
    assert result.numpy() == pytest.approx([log(0.75), log(0.25)], rel=1e-5)


def test_the_corrected_softmax_is_that_of_the_paper_even_for_very_rare_items():
    queries = tf.constant([[1.0, 0.0], [0.6, 0.8]])
    items = tf.constant([[0.8, 0.6], [0.0, 1.0]])
    log_probability = vector(log(0.5), log(1e-9))  # tfrs itself would clip 1e-9 to 1e-6.
    task = tfrs.tasks.Retrieval(
        loss=keras.losses.CategoricalCrossentropy(from_logits=True, reduction="none"),  # pyright: ignore[reportArgumentType]
        temperature=0.5,
    )
    loss = task(*append_correction(queries, items, log_probability, 0.5)).numpy()  # pyright: ignore[reportCallIssue]
    scores = queries.numpy() @ items.numpy().T / 0.5 - log_probability.numpy()
    expected = [-scores[i, i] + log(exp(scores[i, 0]) + exp(scores[i, 1])) for i in range(2)]
    assert loss == pytest.approx(expected, rel=1e-5)
