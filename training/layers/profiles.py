"""Content profiles: what the rooms of each streamer looked like, read by the streamers of a history."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf
import tf_keras as keras
from numpy.typing import NDArray

from feature_service.features.layout import CANDIDATE_VECTORS, HISTORY_IDS, Layout
from training.layers.blueprint import Blueprint
from training.layers.embeddings import Embeddings

WATCHED = "user.watched.streamer"


class ContentProfiles(keras.layers.Layer):
    """c̄(s), the mean content vector of the rooms that viewers entered in training, by streamer; standardised.

    A history says whom a viewer watched, the profile what was to be seen there. So the taste for contents is learnt
    from all viewers and streamers together, and it reaches the room of a streamer who began a minute ago through the
    content that the room shows.
    """

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__(name="content_profiles")
        fitted, layout = blueprint.fitted, blueprint.layout
        names = [column.name for column in layout[CANDIDATE_VECTORS].columns]
        self._mean, self._scale = (np.concatenate([part[n] for n in names]) for part in (fitted.means, fitted.scales))
        self._watched = layout[HISTORY_IDS].slices()[WATCHED].start
        self._vocabulary = blueprint.encodings[WATCHED][1]
        vocabulary = {self._vocabulary: fitted.vocabularies[self._vocabulary]}
        self.profiles = Embeddings(vocabulary, size=len(self._mean), unseen_rows=1, trainable=False)

    @staticmethod
    def possible(layout: Layout) -> bool:
        """Whether the layout has contents of rooms, and the streamers of a history."""
        names = [tensor.name for tensor in layout.tensors]
        return CANDIDATE_VECTORS in names and HISTORY_IDS in names and WATCHED in layout[HISTORY_IDS].slices()

    def call(self, tensors: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Packed sequences → float32 [U, length, width]; zeros for padding and for streamers without a profile."""
        keys = tensors[HISTORY_IDS][:, :, self._watched]
        return tf.squeeze(self.profiles(tf.expand_dims(keys, -1), [self._vocabulary]), axis=-2)

    def start(self, streamers: NDArray[np.int64], contents: NDArray[np.float32]) -> None:
        """Takes the means; a room without a content, which is all zeros, tells nothing.

        Args:
            streamers: Streamer key of each room that was entered, int64 [E].
            contents: Its content vector, float32 [E, width].
        """
        keys = self.profiles.keys.numpy()
        told = np.isin(streamers, keys) & np.isfinite(contents).all(axis=1) & contents.any(axis=1)
        rows, contents = np.searchsorted(keys, streamers[told]), (contents[told] - self._mean) / self._scale
        sums = np.zeros((len(keys), len(self._mean)))
        np.add.at(sums, rows, contents)
        means = sums / np.maximum(np.bincount(rows, minlength=len(keys)), 1)[:, np.newaxis]
        # The row for unknown streamers stands first.
        self.profiles.table.assign(np.vstack([np.zeros_like(means[:1]), means]).astype(np.float32))
