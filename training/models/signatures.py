"""What a model offers: named functions of packed tensors."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from feature_service.features.layout import DTYPES, Layout


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature of a SavedModel.

    Attributes:
        layout: The tensors that it reads; nothing else is declared as an input.
        function: Packed tensors by name → outputs by name.
    """

    layout: Layout
    function: Callable[[Mapping[str, tf.Tensor]], dict[str, tf.Tensor]]


def tensor_specs(layout: Layout) -> dict[str, tf.TensorSpec]:
    """The packed tensors of a layout as inputs of a graph, with any number of rows."""
    return {
        tensor.name: tf.TensorSpec(
            [None, tensor.length, tensor.width] if tensor.length else [None, tensor.width],
            DTYPES[tensor.name],
            tensor.name,
        )
        for tensor in layout.tensors
    }


def concrete(signature: Signature) -> Any:
    """The signature as a graph of its own, called with packed tensors by name."""

    @tf.function
    def serve(**tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        return signature.function(tensors)

    return serve.get_concrete_function(**tensor_specs(signature.layout))
