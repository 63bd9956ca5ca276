"""Export: a model becomes a SavedModel that any TensorFlow Serving runs, and is checked against itself."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from feature_service.features.layout import Layout
from training.data.examples import Examples
from training.data.samples import Samples
from training.models.ranking.base import Ranker
from training.models.recall.two_tower import TwoTower
from training.models.signatures import Signature, tensor_specs
from training.predict import predict, room_vectors, user_vectors
from training.trained import Model

_Pair = tuple[NDArray[np.float32], NDArray[np.float32]]

LAYOUT_SIGNATURE = "layout"
PROBE = "probe"


class ExportError(RuntimeError):
    """A SavedModel that cannot be written, or that does not answer as its model does."""


class _Served(tf.Module):
    """Holds just the variables that are read: a `tfrs.Model` would drag tasks and metrics along."""

    def __init__(self, signatures: Mapping[str, Any]) -> None:
        super().__init__()
        self.read = list({id(v): v for function in signatures.values() for v in function.variables}.values())


def export(model: Model, directory: Path) -> None:
    """Writes a SavedModel with the model's signatures and `layout`.

    Args:
        model: A trained model.
        directory: Must not exist; its parent must.

    Raises:
        ExportError: The directory exists, or cannot be written.
    """
    if directory.exists():
        raise ExportError(f"{directory}: expected a directory that does not exist yet, received an existing one")
    signatures = {name: _concrete(signature) for name, signature in model.signatures().items()}
    signatures[LAYOUT_SIGNATURE] = _layout_function(model.layout)
    try:
        tf.saved_model.save(_Served(signatures), str(directory), signatures)
    except OSError as error:
        raise ExportError(f"{directory}: expected a place to write a SavedModel, received {error}") from None


def _concrete(signature: Signature) -> Any:
    @tf.function
    def serve(**tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        return signature.function(tensors)

    return serve.get_concrete_function(**tensor_specs(signature.layout))


def _layout_function(layout: Layout) -> Any:
    """`probe` int32 [B] → the layout's strings, [B, columns] each; a list that is empty is left out."""
    lists = {name: specs for name, specs in layout.to_strings().items() if specs}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32, PROBE)])
    def describe(probe: tf.Tensor) -> dict[str, tf.Tensor]:
        return {name: tf.tile(tf.constant([specs]), [tf.size(probe), 1]) for name, specs in lists.items()}

    return describe.get_concrete_function()


def read_layout(directory: Path) -> Layout:
    """The layout that a SavedModel states.

    Raises:
        ExportError: The directory holds no SavedModel, or one without a `layout` signature.
        LayoutError: The layout is none that a service can build.
    """
    answers = _load(directory).signatures[LAYOUT_SIGNATURE](probe=tf.zeros([1], tf.int32))
    return Layout.from_strings({name: [text.decode() for text in value.numpy()[0]] for name, value in answers.items()})


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
    served_layout = read_layout(directory)
    if served_layout != model.layout:
        raise ExportError(f"{directory}: expected the layout {model.layout}, received {served_layout}")
    served = _load(directory).signatures
    examples = Examples.of(samples, model.layout)
    pairs = (
        _ranker_pairs(model, served, examples) if isinstance(model, Ranker) else _vector_pairs(model, served, examples)
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


def _load(directory: Path) -> Any:
    if not (directory / "saved_model.pb").exists():
        raise ExportError(f"{directory}: expected a SavedModel, received a directory without saved_model.pb")
    loaded = tf.saved_model.load(str(directory))
    if LAYOUT_SIGNATURE not in loaded.signatures:
        raise ExportError(f"{directory}: expected a signature {LAYOUT_SIGNATURE}, received {list(loaded.signatures)}")
    return loaded


def _ranker_pairs(model: Ranker, served: Mapping[str, Any], examples: Examples) -> Iterator[_Pair]:
    """Trained and served predictions of each slate, float32 [candidates, heads]."""
    trained = predict(model, examples.samples)
    for row in range(len(examples)):
        batch = examples.batch(np.array([row]), 0)
        tensors = {tensor.name: tf.constant(batch[tensor.name]) for tensor in model.layout.tensors}
        answer = served["serving_default"](**tensors)["predictions"].numpy()
        yield trained[examples.first[row] : examples.first[row + 1]], answer


def _vector_pairs(model: TwoTower, served: Mapping[str, Any], examples: Examples) -> Iterator[_Pair]:
    """Trained and served vectors of all viewers, then of all rooms, float32 [rows, D]."""
    samples = examples.samples
    user, room = (
        {name: tf.constant(v) for name, v in side.tensors.items()} for side in (samples.slates, samples.candidates)
    )
    yield user_vectors(model, samples.slates, model.layout), served["user"](**user)["vector"].numpy()
    yield room_vectors(model, samples.candidates.tensors, model.layout), served["room"](**room)["vector"].numpy()
