"""Last rooms: what each streamer showed last, so that all streamers can be searched without a live index."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_recommenders as tfrs

from feature_service.features.layout import DTYPES, Layout
from training.data.samples import RoomVersions

NEAREST = 100
"""Streamers in an answer, at most."""


class LastRooms(tf.Module):
    """The candidate tensors of each streamer's last room version, as variables whose number of rows is open.

    Attributes:
        streamers: Streamer keys, int64 [S], ascending.
    """

    def __init__(self, layout: Layout) -> None:
        """Starts without a streamer.

        Args:
            layout: The candidate tensors.
        """
        super().__init__(name="last_rooms")
        self.streamers = _open("streamers", (), "int64")
        self._tensors = {
            tensor.name: _open(tensor.name, (tensor.width,), DTYPES[tensor.name]) for tensor in layout.tensors
        }

    def start(self, rooms: RoomVersions, until_ms: int) -> None:
        """Takes the last version of each streamer that began before a time.

        Args:
            rooms: All versions, with the columns of the model.
            until_ms: Unix milliseconds.
        """
        rows = np.flatnonzero(rooms.start_ms < until_ms)
        rows = rows[np.lexsort((rooms.room[rows], rooms.start_ms[rows]))][::-1]
        streamers, first = np.unique(rooms.streamer[rows], return_index=True)
        self.streamers.assign(streamers)
        for name, variable in self._tensors.items():
            variable.assign(rooms.tensors[name][rows[first]])

    def index(self, vectors: Callable[[Mapping[str, tf.Tensor]], tf.Tensor]) -> Any:
        """An exact index of the streamers by the vectors of their last rooms, a TFRS `BruteForce`; None of nobody.

        Args:
            vectors: Packed candidate tensors → float32 [S, D].
        """
        count = len(self.streamers.numpy())
        if not count:
            return None
        tensors = {name: tf.convert_to_tensor(variable) for name, variable in self._tensors.items()}
        index: Any = tfrs.layers.factorized_top_k.BruteForce(k=min(NEAREST, count))
        return index.index(vectors(tensors), tf.convert_to_tensor(self.streamers))


def _open(name: str, shape: tuple[int, ...], dtype: str) -> tf.Variable:
    return tf.Variable(tf.zeros((0, *shape), dtype), trainable=False, name=name, shape=tf.TensorShape([None, *shape]))
