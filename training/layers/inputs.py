"""Inputs: where the layout meets TensorFlow. Packed tensors of raw values become dense rows."""

from collections.abc import Mapping
from itertools import groupby
from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tf_keras as keras

from feature_service.features.layout import DTYPES, HISTORY_IDS, Layout, TensorLayout
from feature_service.features.schema import Encoding
from training.layers.blueprint import Blueprint
from training.layers.embeddings import Embeddings
from training.layers.pooling import AttentionPooling
from training.layers.profiles import ContentProfiles

Tensors = Mapping[str, tf.Tensor]
"""Packed tensors by name, as the layout has them."""

_FURTHEST = 5.0  # Standard deviations; what is further out tells no more and only hurts.


class FloatInputs(keras.layers.Layer):
    """Raw floats of one packed tensor → standardised numbers; vectors of other models are projected.

    LOG: (log1p(max(x, 0)) − mean) / scale. LINEAR and VECTOR: (x − mean) / scale. FLAG: x. All are clipped to ±5; what
    is not finite counts as the mean, so that one broken counter does not poison a slate.
    """

    def __init__(self, tensor: TensorLayout, blueprint: Blueprint) -> None:
        super().__init__(name=tensor.name)
        encodings, fitted = blueprint.encodings, blueprint.fitted
        names = [column.name for column in tensor.columns]
        kinds = [encodings[column.name][0] for column in tensor.columns for _ in range(column.width)]
        means, scales = (np.concatenate([part[n] for n in names]) for part in (fitted.means, fitted.scales))
        self.mean = tf.Variable(tf.constant(means), trainable=False, name="mean")
        self.scale = tf.Variable(tf.constant(scales), trainable=False, name="scale")
        self._is_log = np.array([kind is Encoding.LOG for kind in kinds])
        self._runs = _runs([(column.width, encodings[column.name][0] is Encoding.VECTOR) for column in tensor.columns])
        self.projections = [keras.layers.Dense(blueprint.sizes.vector) if vector else None for _, vector in self._runs]

    def call(self, values: tf.Tensor) -> tf.Tensor:
        """float32 [..., width] → [..., numbers + vectors · sizes.vector], finite."""
        finite = tf.math.is_finite(values)
        values = tf.where(finite, values, 0.0)
        if self._is_log.any():
            values = tf.where(self._is_log, tf.math.log1p(tf.maximum(values, 0.0)), values)
        standard = tf.clip_by_value((values - self.mean) / self.scale, -_FURTHEST, _FURTHEST)
        parts = tf.split(tf.where(finite, standard, 0.0), [width for width, _ in self._runs], axis=-1)
        projected = [project(part) if project else part for project, part in zip(self.projections, parts, strict=True)]
        return tf.concat(projected, axis=-1)


class IdInputs(keras.layers.Layer):
    """Keys of one packed tensor → embeddings side by side; a feature of several keys is the mean of its vectors.

    Args:
        tensor: The packed tensor.
        blueprint: How each column is taken in. In training, the share `sizes.unseen_rates` of a feature's keys is taken
            as unseen, so that the model also learns to do without them.
        embeddings: The table, shared with the other tensors of the model.
    """

    def __init__(self, tensor: TensorLayout, blueprint: Blueprint, embeddings: Embeddings) -> None:
        super().__init__(name=tensor.name)
        encodings, unseen_rates = blueprint.encodings, blueprint.sizes.unseen_rates
        self.embeddings = embeddings
        self._vocabularies = [encodings[c.name][1] for c in tensor.columns for _ in range(c.width)]
        self._rates = np.array([unseen_rates.get(c.name, 0.0) for c in tensor.columns for _ in range(c.width)])
        self._salt = list(DTYPES).index(tensor.name)
        self._runs = _runs([(column.width, column.width > 1) for column in tensor.columns])

    def call(self, ids: tf.Tensor, step: tf.Tensor | None = None) -> tf.Tensor:
        """int64 [..., width] → float32 [..., columns · size].

        Args:
            ids: Keys.
            step: Number of the training step, int64 scalar, which seeds what is dropped; None = no training.
        """
        unseen = None
        if step is not None and self._rates.any():
            seed = tf.stack([step, tf.constant(self._salt, tf.int64)])
            unseen = tf.random.stateless_uniform(tf.shape(ids), seed) < self._rates.astype(np.float32)
        vectors = self.embeddings(ids, self._vocabularies, unseen)
        widths = [width for width, _ in self._runs]
        runs = zip(tf.split(vectors, widths, axis=-2), tf.split(ids, widths, axis=-1), self._runs, strict=True)
        return tf.concat([self._pooled(part, keys) if wide else _flat(part) for part, keys, (_, wide) in runs], axis=-1)

    @staticmethod
    def _pooled(vectors: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
        """Mean over the keys that are not 0: [..., width, size] → [..., size]."""
        count = tf.reduce_sum(tf.cast(ids != 0, tf.float32), axis=-1, keepdims=True)
        return tf.reduce_sum(vectors, axis=-2) / tf.maximum(count, 1.0)


def _flat(vectors: tf.Tensor) -> tf.Tensor:
    """Vectors side by side: [..., width, size] → [..., width · size]."""
    return tf.reshape(vectors, tf.concat([tf.shape(vectors)[:-2], [vectors.shape[-2:].num_elements()]], axis=0))


def _runs(columns: list[tuple[int, bool]]) -> list[tuple[int, bool]]:
    """(width, apart) of each column that is treated apart, and of each run of neighbours that are not."""
    runs: list[tuple[int, bool]] = []
    for apart, group in groupby(columns, key=lambda column: column[1]):
        widths = [width for width, _ in group]
        runs += [(width, True) for width in widths] if apart else [(sum(widths), False)]
    return runs


class SideInputs(keras.layers.Layer):
    """The packed tensors of one side, sequences apart, as one dense row an item."""

    def __init__(self, layout: Layout, blueprint: Blueprint, embeddings: Embeddings) -> None:
        super().__init__()
        self.parts = {
            tensor.name: IdInputs(tensor, blueprint, embeddings)
            if DTYPES[tensor.name] == "int64"
            else FloatInputs(tensor, blueprint)
            for tensor in layout.tensors
        }

    def call(self, tensors: Tensors, step: tf.Tensor | None = None) -> tf.Tensor:
        """Packed tensors [rows, width] → float32 [rows, D]."""
        return tf.concat([_take_in(part, tensors[name], step) for name, part in self.parts.items()], axis=-1)


class History(NamedTuple):
    """What a viewer watched last, newest first.

    Attributes:
        steps: float32 [U, length, D].
        mask: Whether the step is real, bool [U, length].
    """

    steps: tf.Tensor
    mask: tf.Tensor


class HistoryInputs(keras.layers.Layer):
    """The packed sequences as embedded steps; a step is real if any of its keys is not 0."""

    def __init__(self, blueprint: Blueprint, embeddings: Embeddings) -> None:
        super().__init__(name="history")
        self.side = SideInputs(blueprint.history_layout, blueprint, embeddings)

    def call(self, tensors: Tensors, step: tf.Tensor | None = None) -> History:
        """Packed sequences [U, length, width] → `History`."""
        return History(self.side(tensors, step), tf.reduce_any(tensors[HISTORY_IDS] != 0, axis=-1))


class UserInputs(keras.layers.Layer):
    """All that is known of a viewer as one dense row: the plain columns beside the pooled history.

    Args:
        blueprint: What the data told.
        embeddings: The table, shared with the other inputs of the model.
        profiles: What the streamers of the history showed, as more columns of its steps.
    """

    def __init__(self, blueprint: Blueprint, embeddings: Embeddings, profiles: ContentProfiles | None = None) -> None:
        super().__init__(name="user")
        self.profiles = profiles
        self.side = SideInputs(blueprint.user_layout, blueprint, embeddings) if blueprint.user_layout.tensors else None
        self.history = HistoryInputs(blueprint, embeddings) if HISTORY_IDS in blueprint.layout else None
        self.pooling = AttentionPooling(blueprint.sizes.history) if self.history else None

    def call(self, tensors: Tensors, step: tf.Tensor | None = None) -> tf.Tensor:
        """Packed user tensors and sequences of U viewers → float32 [U, D]."""
        rows = [self.side(tensors, step)] if self.side else []
        if self.pooling:
            rows.append(self.pooling(*self.steps(tensors, step)))
        return tf.concat(rows, axis=-1)

    def plain(self, tensors: Tensors, step: tf.Tensor | None = None) -> tf.Tensor:
        """The plain columns alone, float32 [U, D]; D is 0 where there are none."""
        return self.side(tensors, step) if self.side else tf.zeros([tf.shape(tensors[HISTORY_IDS])[0], 0])

    def steps(self, tensors: Tensors, step: tf.Tensor | None = None) -> History:
        """The history alone.

        Raises:
            ValueError: The layout has none.
        """
        if not self.history:
            raise ValueError("features: expected a watched sequence on the user side, received none")
        steps, mask = self.history(tensors, step)
        return History(tf.concat([steps, self.profiles(tensors)], axis=-1) if self.profiles else steps, mask)


def _take_in(part: keras.layers.Layer, tensor: tf.Tensor, step: tf.Tensor | None) -> tf.Tensor:
    return part(tensor, step) if isinstance(part, IdInputs) else part(tensor)
