"""Popularity: a bias for each streamer."""

import numpy as np
import tensorflow as tf
import tf_keras as keras
from numpy.typing import NDArray

from training.layers.blueprint import Blueprint
from training.layers.embeddings import Embeddings


class StreamerBias(keras.layers.Layer):
    """b(y), one number a streamer, which starts from how often the streamer was entered.

    The bias that a softmax with the logQ correction would come to for viewers without taste is the logarithm of the
    share of the enters. Starting there, the towers have to explain only what is not popularity.
    """

    def __init__(self, blueprint: Blueprint, feature: str) -> None:
        super().__init__(name="streamer_bias")
        self._vocabulary = blueprint.encodings[feature][1]
        vocabulary = {self._vocabulary: blueprint.fitted.vocabularies[self._vocabulary]}
        self.biases = Embeddings(vocabulary, size=1, unseen_rows=1)

    def call(self, streamers: tf.Tensor) -> tf.Tensor:
        """int64 [N, 1] → float32 [N, 1]; 0 for the key 0."""
        return tf.squeeze(self.biases(streamers, [self._vocabulary]), axis=1)

    def start(self, entered: NDArray[np.int64]) -> None:
        """Sets b = log((1 + enters of the streamer) / (1 + mean enters)); an unknown streamer has the mean, so 0.

        Args:
            entered: Streamer key of each enter of the training samples, int64 [E].
        """
        keys = self.biases.keys.numpy()
        found, counts = np.unique(entered[np.isin(entered, keys)], return_counts=True)
        enters = np.zeros(len(keys))
        enters[np.searchsorted(keys, found)] = counts
        mean = counts.mean() if len(counts) else 0.0
        biases = np.log1p(np.append(mean, enters)) - np.log1p(mean)  # The row for unknown streamers stands first.
        self.biases.table.assign(biases[:, np.newaxis].astype(np.float32))
