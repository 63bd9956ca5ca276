"""Tensors: packs the features that a layout names into its few arrays."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_service.features import layout as packed
from feature_service.features.catalog import Catalog
from feature_service.features.layout import Layout, LayoutError, TensorLayout
from feature_service.features.schema import Feature
from feature_service.features.view import View

Tensors = dict[str, NDArray[Any]]
"""Packed tensors by name."""

_HISTORY = (packed.HISTORY_FLOATS, packed.HISTORY_IDS)
_CANDIDATE = (packed.CANDIDATE_FLOATS, packed.CANDIDATE_IDS, packed.CANDIDATE_VECTORS)


class TensorBuilder:
    """Fills the tensors of one layout; the columns are resolved once."""

    def __init__(self, catalog: Catalog, layout: Layout) -> None:
        """Resolves the columns.

        Raises:
            LayoutError: The catalogue cannot fill the layout; names every column.
        """
        problems = catalog.check(layout)
        if problems:
            raise LayoutError("; ".join(problems))
        self.layout = layout
        self._plans = [(tensor, _plan(catalog, tensor)) for tensor in layout.tensors]

    def build(self, view: View) -> Tensors:
        """The packed tensors of a request: user and history tensors [1, …], candidate tensors [N, …]."""
        return {tensor.name: _fill(tensor, plan, view) for tensor, plan in self._plans}


def _plan(catalog: Catalog, tensor: TensorLayout) -> list[tuple[int | slice, Feature]]:
    """Where each feature goes: a column number for width 1, else a slice."""
    slices = tensor.slices()
    return [
        (
            slices[column.name].start if column.width == 1 else slices[column.name],
            catalog.by_reference[column.name, column.version],
        )
        for column in tensor.columns
    ]


def _fill(tensor: TensorLayout, plan: list[tuple[int | slice, Feature]], view: View) -> NDArray[Any]:
    rows = len(view.room) if tensor.name in _CANDIDATE else 1
    shape = (rows, tensor.length, tensor.width) if tensor.name in _HISTORY else (rows, tensor.width)
    filled = np.empty(shape, packed.DTYPES[tensor.name])
    for place, feature in plan:
        filled[..., place] = feature.value(view)
    return filled
