"""A published model, asked as the service asks it: what serves today, for the gate to compare with."""

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from feature_service.features.layout import CANDIDATE_TENSORS, Layout
from training.data.examples import Examples, repack
from training.data.samples import Samples, Slates
from training.export import read_layout

_BATCH = 4096


class PublishedModel:
    """A SavedModel, and the layout that it states."""

    def __init__(self, directory: Path) -> None:
        """Loads it.

        Raises:
            ExportError: The directory holds no SavedModel, or one without a `layout` signature.
        """
        self.layout = read_layout(directory)
        self._signatures: Any = tf.saved_model.load(str(directory)).signatures

    def predictions(self, samples: Samples) -> NDArray[np.float32]:
        """A ranker's predictions, a slate a call, float32 [N, heads], columns as `layout.heads`.

        Raises:
            LayoutMismatchError: The samples lack a column that the model reads.
        """
        examples = Examples.of(samples, self.layout)
        names = [tensor.name for tensor in self.layout.tensors]
        parts = [np.zeros((0, len(self.layout.heads)), np.float32)]
        for batch in examples.batches(1, np.arange(len(examples))):
            tensors = {name: tf.constant(batch[name]) for name in names}
            parts.append(self._signatures["serving_default"](**tensors)["predictions"].numpy())
        return np.concatenate(parts)

    def user_vectors(self, slates: Slates, layout: Layout) -> NDArray[np.float32]:
        """A two-tower's vectors of viewers, float32 [U, D].

        Raises:
            LayoutMismatchError: The slates lack a column that the model reads.
        """
        return self._vectors("user", repack(slates.tensors, layout, self.layout))

    def room_vectors(self, tensors: dict[str, NDArray[Any]], layout: Layout) -> NDArray[np.float32]:
        """A two-tower's vectors of rooms, float32 [R, D].

        Raises:
            LayoutMismatchError: The tensors lack a column that the model reads.
        """
        candidate = {name: values for name, values in tensors.items() if name in CANDIDATE_TENSORS}
        return self._vectors("room", repack(candidate, layout, self.layout))

    def _vectors(self, signature: str, tensors: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        rows = len(next(iter(tensors.values())))
        parts: list[NDArray[np.float32]] = []
        for start in range(0, rows, _BATCH):
            part = {name: tf.constant(values[start : start + _BATCH]) for name, values in tensors.items()}
            parts.append(self._signatures[signature](**part)["vector"].numpy())
        return np.concatenate(parts)
