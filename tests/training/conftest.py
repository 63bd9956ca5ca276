"""Fixtures of the training tests."""

from pathlib import Path

import pytest

import training  # noqa: F401 - selects Keras 2 before a test module imports TensorFlow.


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SavedModel with a ranker's, a user tower's and a layout's signature: all weights are 2."""
    import tensorflow as tf

    class Tiny(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = tf.Variable(tf.constant([[2.0]]))

        @tf.function(
            input_signature=[
                tf.TensorSpec([None, 2], tf.float32, "user_floats"),
                tf.TensorSpec([None, 1], tf.float32, "candidate_floats"),
            ]
        )
        def rank(self, user_floats, candidate_floats):
            return {"predictions": tf.sigmoid(candidate_floats @ self.weight + tf.reduce_sum(user_floats, 1))}

        @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, "user_floats")])
        def user(self, user_floats):
            return {"vector": user_floats * self.weight}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.int32, "probe")])
        def layout(self, probe):
            return {"heads": tf.repeat([["enter"]], tf.size(probe), axis=0)}

    model = Tiny()
    directory = tmp_path_factory.mktemp("model") / "tiny"
    signatures = {"serving_default": model.rank, "user": model.user, "layout": model.layout}
    tf.saved_model.save(model, str(directory), signatures=signatures)
    return directory
