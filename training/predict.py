"""Predictions of a ranker over columns, batch by batch."""

from typing import Any, cast

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from training.data.examples import Examples
from training.data.samples import Samples
from training.models.ranking.base import Ranker
from training.models.signatures import tensor_specs


def predict(
    model: Ranker, samples: Samples, batch_slates: int = 512, *, calibrated: bool = True
) -> NDArray[np.float32]:
    """A ranker's predictions for every impression.

    Args:
        model: The ranker.
        samples: Impressions; their tensors may hold more columns than the model reads.
        batch_slates: Slates at once.
        calibrated: As they are served; False = as they were learnt.

    Returns:
        float32 [N, heads], columns as `model.layout.heads`.

    Raises:
        LayoutMismatchError: The samples lack a column that the model reads.
    """
    examples = Examples.of(samples, model.layout)
    specs = tensor_specs(model.layout)

    @tf.function(input_signature=[specs, tf.TensorSpec([None], tf.int32)])
    def function(tensors: dict[str, tf.Tensor], slate: tf.Tensor) -> tf.Tensor:
        return model.predictions(tensors, slate) if calibrated else model.uncalibrated(model.raw(tensors, slate))

    parts = [np.zeros((0, len(model.layout.heads)), np.float32)]
    for batch in examples.batches(batch_slates, np.arange(len(examples))):
        tensors = {name: tf.constant(batch[name]) for name in specs}
        parts.append(_array(function(tensors, tf.constant(batch["slate"]))))
    return np.concatenate(parts)


def _array(tensor: tf.Tensor) -> NDArray[np.float32]:
    return cast(Any, tensor).numpy()
