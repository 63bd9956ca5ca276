"""What is fitted on the training samples."""

from dataclasses import replace

import numpy as np
import pytest

from feature_service.features.layout import CANDIDATE_FLOATS, HISTORY_FLOATS, USER_FLOATS
from tests.training.worlds import CATEGORIES, ENCODINGS, STREAMERS, toy_world
from training.data.samples import Samples
from training.layers.fitted import fit

SAMPLES = toy_world(50, seed=1).samples


def fitted(samples: Samples = SAMPLES, min_count: int = 1):
    return fit(samples, samples.layout, ENCODINGS, min_count=min_count)


def with_tensor(samples: Samples, name: str, values: np.ndarray) -> Samples:
    if name == CANDIDATE_FLOATS:
        return replace(
            samples, candidates=replace(samples.candidates, tensors=samples.candidates.tensors | {name: values})
        )
    return replace(samples, slates=replace(samples.slates, tensors=samples.slates.tensors | {name: values}))


def test_features_that_name_one_vocabulary_share_it():
    vocabularies = fitted().vocabularies
    assert len(vocabularies["streamer"]) == STREAMERS
    assert len(vocabularies["category"]) == CATEGORIES
    assert np.all(np.diff(vocabularies["streamer"]) > 0)


def test_padding_is_in_no_vocabulary():
    assert not any((keys == 0).any() for keys in fitted().vocabularies.values())


def test_rare_keys_are_left_out():
    assert len(fitted(min_count=10**6).vocabularies["streamer"]) == 0


def test_log_features_are_measured_after_log1p():
    values = np.zeros((50, 3), np.float32)
    values[:, 0] = np.where(np.arange(50) < 25, 0.0, np.e**2 - 1)  # log1p: half 0, half 2.
    result = fitted(with_tensor(SAMPLES, USER_FLOATS, values))
    assert result.means["user.enter.total"] == pytest.approx([1.0], rel=1e-5)
    assert result.scales["user.enter.total"] == pytest.approx([1.0], rel=1e-5)


def test_values_that_do_not_vary_are_not_scaled():
    result = fitted(with_tensor(SAMPLES, USER_FLOATS, np.full((50, 3), 7.0, np.float32)))
    assert result.scales["user.enter.decayed"] == pytest.approx([1.0, 1.0])
    assert result.means["user.enter.decayed"] == pytest.approx([7.0, 7.0])


def test_what_is_not_finite_is_not_counted():
    values = np.full((50, 3), 3.0, np.float32)
    values[::2] = np.nan
    values[1, 1] = np.inf
    assert fitted(with_tensor(SAMPLES, USER_FLOATS, values)).means["user.enter.decayed"] == pytest.approx([3.0, 3.0])


def test_padding_of_a_sequence_is_not_counted():
    steps = np.zeros((50, 5, 2), np.float32)
    steps[:, 0] = np.e - 1  # One real step of five; log1p is 1.
    result = fitted(with_tensor(SAMPLES, HISTORY_FLOATS, steps))
    assert result.means["user.watched.dwell_s"] == pytest.approx([1.0], rel=1e-5)


def test_flags_stay_as_they_are():
    result = fitted()
    assert result.means["pair.followed"] == pytest.approx([0.0])
    assert result.scales["pair.followed"] == pytest.approx([1.0])


def test_the_prior_of_a_binary_head_is_the_logit_of_its_rate():
    labels = SAMPLES.candidates.labels.copy()
    labels[:, 0] = np.arange(len(labels)) % 4 == 0
    quarter = replace(SAMPLES, candidates=replace(SAMPLES.candidates, labels=labels))
    assert fitted(quarter).priors["enter"] == pytest.approx(-np.log(3.0))


def test_the_prior_of_a_duration_is_mean_and_spread_of_log1p_where_it_exists():
    watched = np.log1p(SAMPLES.candidates.labels[SAMPLES.candidates.mask[:, 2], 2])
    mean, raw = fitted().priors["watch_time"]
    assert (mean, np.log1p(np.exp(raw))) == pytest.approx((watched.mean(), watched.std()), rel=1e-4)
