"""Predictions of a model over columns, batch by batch."""

from typing import Any, cast

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from feature_service.features.layout import Layout
from training.data.examples import Examples, repack
from training.data.samples import Samples, Slates
from training.models.ranking.base import Ranker
from training.models.recall.two_tower import TwoTower
from training.models.signatures import tensor_specs


def predict(model: Ranker, samples: Samples, batch_slates: int = 512) -> NDArray[np.float32]:
    """A ranker's predictions for every impression.

    Args:
        model: The ranker.
        samples: Impressions; their tensors may hold more columns than the model reads.
        batch_slates: Slates at once.

    Returns:
        float32 [N, heads], columns as `model.layout.heads`.

    Raises:
        LayoutMismatchError: The samples lack a column that the model reads.
    """
    examples = Examples.of(samples, model.layout)
    specs = tensor_specs(model.layout)
    function = tf.function(model.predictions, input_signature=[specs, tf.TensorSpec([None], tf.int32)])
    parts = [np.zeros((0, len(model.layout.heads)), np.float32)]
    for batch in examples.batches(batch_slates, np.arange(len(examples))):
        tensors = {name: tf.constant(batch[name]) for name in specs}
        parts.append(_array(function(tensors, tf.constant(batch["slate"]))))
    return np.concatenate(parts)


def user_vectors(model: TwoTower, slates: Slates, layout: Layout, batch: int = 4096) -> NDArray[np.float32]:
    """Vectors of viewers at the time of each slate.

    Args:
        model: The two-tower model.
        slates: The user side.
        layout: How its tensors are packed.
        batch: Slates at once.

    Returns:
        float32 [U, D].

    Raises:
        LayoutMismatchError: The slates lack a column that the model reads.
    """
    tensors = repack(slates.tensors, layout, model.layout)
    return _in_parts(model, "user", tensors, batch)


def room_vectors(
    model: TwoTower, tensors: dict[str, NDArray[Any]], layout: Layout, batch: int = 8192
) -> NDArray[np.float32]:
    """Vectors of rooms.

    Args:
        model: The two-tower model.
        tensors: Packed candidate tensors, [R, width].
        layout: How they are packed.
        batch: Rooms at once.

    Returns:
        float32 [R, D]; their product with a viewer's vector ranks rooms.

    Raises:
        LayoutMismatchError: The tensors lack a column that the model reads.
    """
    packed = repack(tensors, layout, model.layout)
    return _in_parts(model, "room", packed, batch)


def _in_parts(model: TwoTower, name: str, tensors: dict[str, NDArray[Any]], batch: int) -> NDArray[np.float32]:
    signature = model.signatures()[name]
    function = tf.function(signature.function, input_signature=[tensor_specs(signature.layout)])
    rows = len(next(iter(tensors.values())))
    parts: list[NDArray[np.float32]] = []
    for start in range(0, max(rows, 1), batch):  # Of no rows, one empty part.
        part = {name: tf.constant(values[start : start + batch]) for name, values in tensors.items()}
        parts.append(_array(function(part)["vector"]))
    return np.concatenate(parts)


def _array(tensor: tf.Tensor) -> NDArray[np.float32]:
    return cast(Any, tensor).numpy()
