"""A published ranker, asked as the service asks it: what serves today, for the gate to compare with."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.callable_model import CallableModel
from training.data.examples import Examples
from training.data.samples import Samples


class PublishedRanker:
    """A ranker's SavedModel, and the layout that it states."""

    def __init__(self, directory: Path) -> None:
        """Loads it.

        Raises:
            ExportError: The directory holds no SavedModel, or one without a `layout` signature.
        """
        self._model = CallableModel.load(directory)
        self.layout = self._model.layout

    def predictions(self, samples: Samples) -> NDArray[np.float32]:
        """Its predictions, a slate a call, float32 [N, heads], columns as `layout.heads`.

        Raises:
            LayoutMismatchError: The samples lack a column that the model reads.
        """
        examples = Examples.of(samples, self.layout)
        batches = examples.batches(1, np.arange(len(examples)))
        parts = [self._model.ask("serving_default", batch)["predictions"] for batch in batches]
        return np.concatenate([np.zeros((0, len(self.layout.heads)), np.float32), *parts])
