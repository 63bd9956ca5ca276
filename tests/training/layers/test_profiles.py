"""What the streamers of a history showed."""

import numpy as np
import pytest
import tensorflow as tf

from feature_service.features.layout import HISTORY_IDS
from feature_service.features.schema import key_of
from tests.training.layers.blueprints import toy_blueprint
from tests.training.worlds import CATEGORIES
from training.layers.profiles import ContentProfiles

BLUEPRINT = toy_blueprint()
MEAN, SCALE = (part["room.content"] for part in (BLUEPRINT.fitted.means, BLUEPRINT.fitted.scales))
TWICE, ONCE, SILENT = (key_of("streamer", str(number)) for number in (3, 5, 7))
STRANGER = key_of("streamer", "of another log")


def content(*numbers: float) -> list[float]:
    """A raw content vector that standardises to these numbers."""
    assert len(numbers) == CATEGORIES
    return [number * scale + mean for number, scale, mean in zip(numbers, SCALE, MEAN, strict=True)]


def profiles_of(streamers: list[int]) -> np.ndarray:
    layer = ContentProfiles(BLUEPRINT)
    contents = [content(1, 0, 0, 2), content(3, 0, 0, -2), content(0, 5, 0, 0), [0.0] * CATEGORIES, content(9, 9, 9, 9)]
    layer.start(np.array([TWICE, TWICE, ONCE, SILENT, STRANGER], np.int64), np.array(contents, np.float32))
    keys = np.array(streamers, np.int64)[None, :, None]
    return layer({HISTORY_IDS: tf.constant(np.concatenate([keys, keys], axis=-1))}).numpy()[0]


def test_a_profile_is_the_mean_of_the_streamers_contents():
    assert profiles_of([TWICE, ONCE]) == pytest.approx(np.array([[2, 0, 0, 0], [0, 5, 0, 0]]), abs=1e-5)


def test_a_streamer_without_contents_an_unknown_one_and_padding_have_no_profile():
    assert not profiles_of([SILENT, STRANGER, 0]).any()


def test_profiles_are_not_learnt():
    layer = ContentProfiles(BLUEPRINT)
    assert not layer.trainable_variables
