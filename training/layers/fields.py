"""Fields: the packed tensors of one side as numbers and vectors, for models that sum over features."""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf
import tf_keras as keras

from feature_service.features.layout import DTYPES, HISTORY_IDS, Layout
from training.layers.blueprint import Blueprint
from training.layers.embeddings import Embeddings
from training.layers.inputs import FloatInputs, IdInputs, Tensors


class Fields(NamedTuple):
    """What is known of each item of one side.

    Attributes:
        numbers: Standardised floats and projected vectors, each number a feature x of its own, float32 [rows, D].
        vectors: The embedding of each id feature, float32 [rows, C, size]; of several keys, their mean.
    """

    numbers: tf.Tensor
    vectors: tf.Tensor

    def split(self, size: int) -> tuple["Fields", "Fields"]:
        """The same with the first `size` numbers of each vector, and with the others."""
        first, beyond = tf.split(self.vectors, [size, -1], axis=-1)
        return Fields(self.numbers, first), Fields(self.numbers, beyond)

    @property
    def row(self) -> tf.Tensor:
        """All side by side, float32 [rows, D + C · size]."""
        flat = tf.reshape(self.vectors, [-1, self.vectors.shape[-2:].num_elements()])
        return tf.concat([self.numbers, flat], axis=-1)


class SideFields(keras.layers.Layer):
    """The packed tensors of one side, sequences apart, as fields."""

    def __init__(self, layout: Layout, blueprint: Blueprint, embeddings: Embeddings) -> None:
        """Takes the side's tensors; the table is shared with the other side."""
        super().__init__()
        floats = [tensor for tensor in layout.tensors if DTYPES[tensor.name] == "float32"]
        ids = [tensor for tensor in layout.tensors if DTYPES[tensor.name] == "int64"]
        self._vectors = (sum(len(tensor.columns) for tensor in ids), embeddings.size)
        self.floats = {tensor.name: FloatInputs(tensor, blueprint) for tensor in floats}
        self.ids = {tensor.name: IdInputs(tensor, blueprint, embeddings) for tensor in ids}

    def call(self, tensors: Tensors, step: tf.Tensor | None = None) -> Fields:
        """Packed tensors [rows, width] → `Fields`; `step` is the training step, None outside training."""
        numbers = [part(tensors[name]) for name, part in self.floats.items()]
        vectors = [part(tensors[name], step) for name, part in self.ids.items()]
        rows = tf.shape(tensors[next(iter(self.floats | self.ids))])[0]
        return _fields(numbers, vectors, rows, self._vectors)


class UserFields(keras.layers.Layer):
    """All that is known of a viewer as fields: the plain columns, and the mean of each column of the history.

    A step of the history is real if any of its keys is not 0; without a real step the means are 0.
    """

    def __init__(self, blueprint: Blueprint, embeddings: Embeddings) -> None:
        """Takes the user's tensors; the table is shared with the candidates."""
        super().__init__(name="user")
        plain, history = blueprint.user_layout, blueprint.history_layout
        self._vectors = (len(history[HISTORY_IDS].columns) if HISTORY_IDS in history else 0, embeddings.size)
        self.side = SideFields(plain, blueprint, embeddings) if plain.tensors else None
        self.history = {
            tensor.name: IdInputs(tensor, blueprint, embeddings)
            if tensor.name == HISTORY_IDS
            else FloatInputs(tensor, blueprint)
            for tensor in history.tensors
        }

    def call(self, tensors: Tensors, step: tf.Tensor | None = None) -> Fields:
        """Packed user tensors and sequences of U viewers → `Fields` of U rows."""
        sides = [self.side(tensors, step)] if self.side else []
        if self.history:
            sides.append(self._pooled(tensors, step))
        numbers, vectors = zip(*sides, strict=True)
        return Fields(tf.concat(numbers, axis=-1), tf.concat(vectors, axis=-2))

    def _pooled(self, tensors: Tensors, step: tf.Tensor | None) -> Fields:
        real = tf.cast(tf.reduce_any(tensors[HISTORY_IDS] != 0, axis=-1), tf.float32)
        shares = (real / tf.maximum(tf.reduce_sum(real, axis=-1, keepdims=True), 1.0))[:, :, tf.newaxis]
        numbers: list[tf.Tensor] = []
        vectors: list[tf.Tensor] = []
        for name, part in self.history.items():
            if isinstance(part, IdInputs):
                vectors.append(tf.reduce_sum(part(tensors[name], step) * shares, axis=1))
            else:
                numbers.append(tf.reduce_sum(part(tensors[name]) * shares, axis=1))
        rows = tf.shape(real)[0]
        return _fields(numbers, vectors, rows, self._vectors)


def _fields(
    numbers: Sequence[tf.Tensor], vectors: Sequence[tf.Tensor], rows: tf.Tensor, shape: tuple[int, int]
) -> Fields:
    """Parts side by side; without a part of its kind there are none, in as many rows.

    Args:
        numbers: float32 [rows, ·] each.
        vectors: float32 [rows, columns · size] each.
        rows: How many, int32 scalar.
        shape: Columns and size of all vectors.
    """
    none = tf.zeros([rows, 0])
    flat = tf.concat([none, *vectors], axis=-1)
    return Fields(tf.concat([none, *numbers], axis=-1), tf.reshape(flat, [rows, *shape]))
