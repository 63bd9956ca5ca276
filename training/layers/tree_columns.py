"""Tree columns: what trees read of the packed tensors, raw numbers that no scaling would change for them."""

import numpy as np
import tensorflow as tf
import tf_keras as keras

from feature_service.features.layout import CANDIDATE_IDS, DTYPES, HISTORY_IDS, TensorLayout
from feature_service.features.schema import Encoding
from training.data.samples import Samples
from training.layers.blueprint import Blueprint
from training.layers.embeddings import Embeddings
from training.layers.fitted import Encodings
from training.layers.inputs import Tensors
from training.layers.towers import per_candidate


class TreeColumns(keras.layers.Layer):
    """Floats and vectors as they are; codes of ids; what candidate and history have in common.

    An id column of one key, whose vocabulary is small, is read as a code: the more often the training samples have the
    key, the greater, and 0 for a key that is absent or was not seen. No label takes part. Ids of large vocabularies
    are not read, as trees fit chance by them. For each id column of the history and each of the candidate over the same
    vocabulary, there is the number of steps with the candidate's key: which room suits which viewer stands in no column
    of either side alone.
    """

    def __init__(self, blueprint: Blueprint, most_codes: int) -> None:
        """Finds the columns.

        Args:
            blueprint: What the data told.
            most_codes: Keys of a vocabulary, at most, for its columns to be read as codes.
        """
        super().__init__(name="tree_columns")
        encodings = blueprint.encodings
        keys = {name: keys for name, keys in blueprint.fitted.vocabularies.items() if len(keys) <= most_codes}
        self.codes = Embeddings(keys, size=1, unseen_rows=1, zeros=1, trainable=False)
        self._user, self._candidate = blueprint.user_layout, blueprint.candidate_layout
        self._coded = {
            tensor.name: {place: name for place, name in _vocabularies(tensor, encodings).items() if name in keys}
            for tensor in (*self._user.tensors, *self._candidate.tensors)
        }
        self._pairs = [
            (watched, shown)
            for history in blueprint.history_layout.select([HISTORY_IDS]).tensors
            for candidates in self._candidate.select([CANDIDATE_IDS]).tensors
            for watched, one in _vocabularies(history, encodings).items()
            for shown, two in _vocabularies(candidates, encodings).items()
            if one == two
        ]

    def start(self, samples: Samples) -> None:
        """Takes the codes from how often the samples have each key; of equally frequent ones, the lesser key first."""
        tensors = samples.slates.tensors | samples.candidates.tensors
        keys = self.codes.keys.numpy()
        counts = np.zeros(len(keys), np.int64)
        for name, places in self._coded.items():
            found, times = np.unique(tensors[name][:, list(places)], return_counts=True)
            known = np.isin(found, keys) & (found != 0)
            counts[np.searchsorted(keys, found[known])] += times[known]
        codes = np.zeros(self.codes.table.shape, np.float32)
        codes[len(codes) - len(keys) + np.argsort(counts, kind="stable"), 0] = 1 + np.arange(len(keys))
        self.codes.table.assign(codes)

    def user(self, tensors: Tensors) -> tf.Tensor:
        """Columns of U viewers, float32 [U, D_u]; where there are none, one of zeros."""
        parts = [self._read(tensor, tensors) for tensor in self._user.tensors]
        return tf.concat(parts, axis=-1) if parts else tf.zeros([tf.shape(tensors[HISTORY_IDS])[0], 1])

    def candidate(self, tensors: Tensors, slate: tf.Tensor | None) -> tf.Tensor:
        """Columns of N candidates, float32 [N, D_c].

        Args:
            tensors: Packed tensors of both sides.
            slate: Row of each candidate's viewer, int32 [N]; None = one viewer.
        """
        parts = [self._read(tensor, tensors) for tensor in self._candidate.tensors]
        return tf.concat(parts + [_alike(tensors, slate, *pair) for pair in self._pairs], axis=-1)

    def _read(self, tensor: TensorLayout, tensors: Tensors) -> tf.Tensor:
        """What trees read of one packed tensor, float32 [rows, D]."""
        values = tensors[tensor.name]
        if DTYPES[tensor.name] == "float32":
            return values
        places = self._coded[tensor.name]
        if not places:
            return tf.zeros([tf.shape(values)[0], 0])
        ids = tf.gather(values, list(places), axis=-1)
        return tf.squeeze(self.codes(ids, list(places.values())), axis=-1)


def _vocabularies(tensor: TensorLayout, encodings: Encodings) -> dict[int, str]:
    """The vocabulary of each id column of one key, by its place in the tensor."""
    return {
        place.start: encodings[name][1]
        for name, place in tensor.slices().items()
        if encodings[name][0] is Encoding.ID and place.stop - place.start == 1
    }


def _alike(tensors: Tensors, slate: tf.Tensor | None, watched: int, shown: int) -> tf.Tensor:
    """Steps of the viewer's history with the candidate's key, float32 [N, 1]; 0 where it has none."""
    steps = per_candidate(tensors[HISTORY_IDS][:, :, watched], slate)
    key = tensors[CANDIDATE_IDS][:, shown, tf.newaxis]
    return tf.reduce_sum(tf.cast((steps == key) & (key != 0), tf.float32), axis=-1, keepdims=True)
