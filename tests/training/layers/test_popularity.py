"""A bias for each streamer."""

import numpy as np
import pytest
import tensorflow as tf

from feature_service.features.schema import key_of
from tests.training.layers.blueprints import toy_blueprint
from training.layers.popularity import StreamerBias


def test_the_bias_starts_from_the_logarithm_of_the_enters():
    layer = StreamerBias(toy_blueprint(), "streamer.id")
    often, once, never = (key_of("streamer", str(number)) for number in (3, 5, 7))
    stranger = key_of("streamer", "of another log")
    layer.start(np.array([often, often, once, often, stranger, stranger], np.int64))
    # The known ones that were entered have 3 and 1, 2 on average: log(4/3), log(2/3), log(1/3); a stranger has 2 too.
    biases = layer(tf.constant([[often], [once], [never], [stranger], [0]], tf.int64)).numpy()[:, 0]
    assert biases == pytest.approx([np.log(4 / 3), np.log(2 / 3), -np.log(3), 0.0, 0.0], abs=1e-6)
