"""A model, trained or published, asked by signature with NumPy tensors."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from feature_service.features.layout import Layout
from training.data.examples import Examples
from training.export import load_signatures
from training.models.signatures import concrete
from training.trained import Model

Tensors = Mapping[str, NDArray[Any]]
Outputs = dict[str, NDArray[Any]]


class CallableModel:
    """The functions behind a model's signatures.

    Attributes:
        layout: The columns that the model reads.
    """

    def __init__(self, layout: Layout, functions: Mapping[str, Any], owner: object = None) -> None:
        """Takes the functions; `of` and `load` make them.

        Args:
            layout: The columns that they read.
            functions: A concrete function a signature.
            owner: Who holds the variables that they read, if they do not: graphs do not keep those alive.
        """
        self.layout = layout
        self._functions = functions
        self._owner = owner

    @classmethod
    def of(cls, model: Model) -> Self:
        """A model in memory."""
        offered = model.signatures()
        functions = {name: concrete(signature) for name, signature in offered.items()}
        return cls(model.layout, functions, (model, offered))

    @classmethod
    def load(cls, directory: Path) -> Self:
        """A SavedModel, asked as the service asks it.

        Raises:
            ExportError: The directory holds no SavedModel, or one without a `layout` signature.
        """
        layout, functions = load_signatures(directory)
        return cls(layout, functions)

    def __contains__(self, signature: object) -> bool:
        """Whether the model has a signature of that name."""
        return signature in self._functions

    def reads(self, signature: str) -> Layout:
        """The tensors that a signature reads."""
        return self.layout.select(self._functions[signature].structured_input_signature[1])

    def answers(self, signature: str) -> frozenset[str]:
        """The names of a signature's outputs."""
        return frozenset(self._functions[signature].structured_outputs)

    def ask(self, signature: str, tensors: Tensors) -> Outputs:
        """One call.

        Args:
            signature: Its name.
            tensors: Packed as `reads` says; others are left out.
        """
        wanted = {tensor.name: tf.constant(tensors[tensor.name]) for tensor in self.reads(signature).tensors}
        return {name: values.numpy() for name, values in self._functions[signature](**wanted).items()}

    def ask_rows(self, signature: str, tensors: Tensors, batch: int) -> Outputs:
        """Calls for all rows of tensors of one side, `batch` rows at a time; of no row, one call without any."""
        wanted = {tensor.name: tensors[tensor.name] for tensor in self.reads(signature).tensors}
        rows = len(next(iter(wanted.values())))
        parts = [
            self.ask(signature, {name: values[start : start + batch] for name, values in wanted.items()})
            for start in range(0, max(rows, 1), batch)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def ask_samples(self, signature: str, examples: Examples) -> Iterator[Outputs]:
        """The answers for samples: all rows at once where one side alone is read, else a slate a call, as in serving.

        Args:
            signature: Its name.
            examples: Packed as the model's layout says.
        """
        wanted = {tensor.name for tensor in self.reads(signature).tensors}
        for side in (examples.samples.slates.tensors, examples.samples.candidates.tensors):
            if wanted <= side.keys():
                yield self.ask(signature, side)
                return
        for batch in examples.batches(1, np.arange(len(examples))):
            yield self.ask(signature, batch)
