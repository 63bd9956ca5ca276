"""Late labels: what the samples of the last hours tell before their windows are over."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.training.worlds import toy_world
from training.data.errors import DataError
from training.data.late import LEAST_SHARE, share_come, with_late_labels
from training.data.samples import Samples
from training.data.split import Boundaries, known_at, split
from training.heads import HEAD_NAMES, HEADS
from training.losses import binary_cross_entropy

LIKE, WATCH_TIME = HEAD_NAMES.index("like"), HEAD_NAMES.index("watch_time")
WINDOW_S = HEADS["like"].window_s
NOW_MS = 10 * 3_600_000
RATES = (0.1, 0.3)
"""How often viewers like: before the last window, and in it."""


def liked(slates: int = 20_000, *, delays: bool = True) -> Samples:
    """Ten hours of impressions until now; likes come half an hour later on average, and more often of late."""
    rng = np.random.default_rng(4)
    samples = toy_world(slates, seed=1, candidates=1).samples
    time_ms = np.linspace(0, NOW_MS - 1, slates).astype(np.int64)
    like = rng.random(slates) < np.where(fresh(time_ms), RATES[1], RATES[0])
    delay_s = np.full((slates, len(HEAD_NAMES)), np.inf, np.float32)
    delay_s[like, LIKE] = np.minimum(rng.exponential(1800, like.sum()), WINDOW_S)
    labels = np.zeros(delay_s.shape, np.float32)
    labels[:, LIKE] = like
    candidates = replace(
        samples.candidates,
        labels=labels,
        mask=np.ones(labels.shape, np.bool_),
        delay_s=delay_s if delays else None,
    )
    return replace(samples, slates=replace(samples.slates, time_ms=time_ms), candidates=candidates)


def fresh(time_ms: np.ndarray) -> np.ndarray:
    return NOW_MS - time_ms < WINDOW_S * 1000


def learnt_rate(labels: np.ndarray) -> float:
    """The probability that one logit learns of these labels by our loss."""
    logit: Any = tf.Variable(tf.constant(0.0))
    y: Any = tf.constant(labels)
    for _ in range(200):
        with tf.GradientTape() as tape:
            loss = binary_cross_entropy(y, tf.fill(y.shape, logit))
        gradient: Any = tape.gradient(loss, logit)
        logit.assign_sub(4.0 * gradient)
    return float(tf.sigmoid(logit))


def test_what_is_learnt_of_the_last_hours_is_the_whole_rate_and_not_that_of_the_early_labels():
    whole = liked()
    corrected = with_late_labels(whole, NOW_MS).candidates
    counts = fresh(whole.slates.time_ms) & corrected.mask[:, LIKE]
    seen = (corrected.labels[:, LIKE] > 0).astype(np.float32)
    truth = float(whole.candidates.labels[counts, LIKE].mean())
    assert truth == pytest.approx(RATES[1], abs=0.02)
    assert learnt_rate(corrected.labels[counts, LIKE]) == pytest.approx(truth, abs=0.02)
    assert learnt_rate(seen[counts]) < truth - 0.05  # What has come so far, taken as all there is.
    # Without the correction there is nothing of these hours at all.
    assert not known_at(whole, NOW_MS).candidates.mask[fresh(whole.slates.time_ms), LIKE].any()


def test_a_seen_label_stands_for_those_that_will_come():
    # Delays of 10, 20, 30 and 40 s: after 25 s half of them have come, so that each counts for two.
    assert share_come(np.array([40, 10, 30, 20], np.float32), np.array([25.0, 5.0, 40.0])).tolist() == [0.5, 0.0, 1.0]
    corrected = with_late_labels(liked(), NOW_MS).candidates
    labels = corrected.labels[corrected.mask[:, LIKE], LIKE]
    assert labels.max() <= 1 / LEAST_SHARE
    assert labels[labels > 1].min() > 1


def test_nothing_that_came_later_is_known():
    """The answer is that of a log which ends now: later likes have not come, and their delays are not learnt from."""
    whole = liked()
    elapsed_s = (NOW_MS - whole.slates.time_ms)[:, np.newaxis] / 1000
    assert whole.candidates.delay_s is not None
    come = whole.candidates.delay_s <= elapsed_s
    mature = ~fresh(whole.slates.time_ms)[:, np.newaxis]
    cut = replace(
        whole.candidates,
        labels=np.where(mature, whole.candidates.labels, 0).astype(np.float32),
        mask=whole.candidates.mask & mature,
        delay_s=np.where(come, whole.candidates.delay_s, np.inf).astype(np.float32),
    )
    one, two = (with_late_labels(each, NOW_MS).candidates for each in (whole, replace(whole, candidates=cut)))
    assert np.array_equal(one.labels[:, LIKE], two.labels[:, LIKE])
    assert np.array_equal(one.mask[:, LIKE], two.mask[:, LIKE])


def test_samples_whose_window_is_over_stay_as_they_are():
    whole = liked()
    old = ~fresh(whole.slates.time_ms)
    corrected = with_late_labels(whole, NOW_MS).candidates
    assert np.array_equal(corrected.labels[old, LIKE], whole.candidates.labels[old, LIKE])
    assert corrected.mask[old, LIKE].all()


def test_samples_too_fresh_to_tell_are_masked():
    corrected = with_late_labels(liked(), NOW_MS)
    # A fifth of the likes comes within −1800 · ln(0.8) = 402 s.
    minutes = (NOW_MS - corrected.slates.time_ms) / 60_000
    assert not corrected.candidates.mask[minutes < 6, LIKE].any()
    assert corrected.candidates.mask[minutes > 8, LIKE].all()


def test_a_duration_stays_masked_until_its_window_is_over():
    whole = liked()
    assert not with_late_labels(whole, NOW_MS).candidates.mask[fresh(whole.slates.time_ms), WATCH_TIME].any()


def test_a_head_with_few_positives_stays_masked():
    few = liked(400)  # Some thirty likes in eight hours.
    assert not with_late_labels(few, NOW_MS).candidates.mask[fresh(few.slates.time_ms), LIKE].any()


def test_samples_without_delays_are_refused():
    with pytest.raises(DataError, match="late labels: expected samples with delays, of `replay --delays`"):
        with_late_labels(liked(400, delays=False), NOW_MS)


def test_only_training_has_late_labels():
    whole = liked()
    at = Boundaries(NOW_MS - 4 * 3_600_000, NOW_MS - 3_600_000)
    late, plain = (split(whole, at, late_labels=wanted) for wanted in (True, False))
    assert late.training.candidates.mask[:, LIKE].sum() > plain.training.candidates.mask[:, LIKE].sum()
    assert np.array_equal(late.validation.candidates.mask, plain.validation.candidates.mask)
    assert set(np.unique(late.validation.candidates.labels)) == {0, 1}
