"""What a model offers for export: named functions of packed tensors."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import tensorflow as tf

from feature_service.features.layout import Layout


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature of a SavedModel.

    Attributes:
        layout: The tensors that it reads; nothing else is declared as an input.
        function: Packed tensors by name → outputs by name.
    """

    layout: Layout
    function: Callable[[Mapping[str, tf.Tensor]], dict[str, tf.Tensor]]
