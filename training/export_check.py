"""The check of an export: does the SavedModel answer as the model in memory?"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.callable_model import CallableModel
from training.data.examples import Examples
from training.data.samples import Samples
from training.export import ExportError
from training.models.ranking.base import Ranker
from training.predict import predict
from training.trained import Model

_Pair = tuple[NDArray[Any], NDArray[Any]]


def export_check(model: Model, directory: Path, samples: Samples, *, tolerance: float = 1e-4) -> float:
    """Loads a SavedModel back and compares it, slate by slate, with the model in memory.

    Args:
        model: What was exported.
        directory: The SavedModel.
        samples: Real rows; each slate is sent as a service would: one viewer, all candidates.
        tolerance: Largest difference allowed, absolute for outputs up to 1, relative above.

    Returns:
        The largest difference found.

    Raises:
        ExportError: The difference is larger, or an output is not finite, or the layouts differ.
    """
    served = CallableModel.load(directory)
    if served.layout != model.layout:
        raise ExportError(f"{directory}: expected the layout {model.layout}, received {served.layout}")
    examples = Examples.of(samples, model.layout)
    pairs = (
        _ranker_pairs(model, served, examples) if isinstance(model, Ranker) else _recall_pairs(model, served, examples)
    )
    worst = 0.0
    for trained, answered in pairs:
        if not np.isfinite(answered).all():
            raise ExportError(f"{directory}: expected finite outputs, received {answered[~np.isfinite(answered)][0]}")
        difference = np.abs(trained - answered) / np.maximum(1.0, np.abs(trained))
        worst = max(worst, float(difference.max(initial=0.0)))
    if worst > tolerance:
        raise ExportError(
            f"{directory}: expected served outputs within {tolerance} of trained ones, received {worst:.3g}"
        )
    return worst


def _ranker_pairs(model: Ranker, served: CallableModel, examples: Examples) -> Iterator[_Pair]:
    """Trained and served predictions of each slate, float32 [candidates, heads]."""
    trained = predict(model, examples.samples)
    for row, answer in enumerate(served.ask_samples("serving_default", examples)):
        yield trained[examples.first[row] : examples.first[row + 1]], answer["predictions"]


def _recall_pairs(model: Model, served: CallableModel, examples: Examples) -> Iterator[_Pair]:
    """Trained and served outputs of every signature; keys, which are equal or wrong, as whether they differ."""
    trained = CallableModel.of(model)
    for name in model.signatures():
        for ours, theirs in zip(trained.ask_samples(name, examples), served.ask_samples(name, examples), strict=True):
            for output, values in ours.items():
                answered = theirs[output]
                keys = values.dtype == np.int64
                yield (np.zeros(values.shape), (values != answered).astype(float)) if keys else (values, answered)
