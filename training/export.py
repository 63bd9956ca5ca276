"""Export: a model becomes a SavedModel that any TensorFlow Serving runs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from feature_service.features.layout import Layout
from training.models.signatures import concrete
from training.trained import Model

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
    offered = model.signatures()  # Held until all is saved: graphs do not keep the variables alive that they read.
    signatures = {name: concrete(signature) for name, signature in offered.items()}
    signatures[LAYOUT_SIGNATURE] = _layout_function(model.layout)
    try:
        tf.saved_model.save(_Served(signatures), str(directory), signatures)
    except OSError as error:
        raise ExportError(f"{directory}: expected a place to write a SavedModel, received {error}") from None


def _layout_function(layout: Layout) -> Any:
    """`probe` int32 [B] → the layout's strings, [B, columns] each; a list that is empty is left out."""
    lists = {name: specs for name, specs in layout.to_strings().items() if specs}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32, PROBE)])
    def describe(probe: tf.Tensor) -> dict[str, tf.Tensor]:
        return {name: tf.tile(tf.constant([specs]), [tf.size(probe), 1]) for name, specs in lists.items()}

    return describe.get_concrete_function()


def load_signatures(directory: Path) -> tuple[Layout, Mapping[str, Any]]:
    """The layout that a SavedModel states, and the functions of all its signatures.

    Raises:
        ExportError: The directory holds no SavedModel, or one without a `layout` signature.
        LayoutError: The layout is none that a service can build.
    """
    if not (directory / "saved_model.pb").exists():
        raise ExportError(f"{directory}: expected a SavedModel, received a directory without saved_model.pb")
    loaded: Any = tf.saved_model.load(str(directory))
    if LAYOUT_SIGNATURE not in loaded.signatures:
        raise ExportError(f"{directory}: expected a signature {LAYOUT_SIGNATURE}, received {list(loaded.signatures)}")
    answers = loaded.signatures[LAYOUT_SIGNATURE](probe=tf.zeros([1], tf.int32))
    lists: dict[str, Sequence[str]] = {
        name: [text.decode() for text in value.numpy()[0]] for name, value in answers.items()
    }
    return Layout.from_strings(lists), loaded.signatures
