"""Tensors: packs the features that a layout names into its few arrays."""

import math
from collections.abc import Callable
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_service.features import layout as packed
from feature_service.features.catalog import Catalog
from feature_service.features.layout import Layout, LayoutError, TensorLayout
from feature_service.features.records import blocks, record_dtype
from feature_service.features.schema import Feature, Part
from feature_service.features.view import View

Tensors = dict[str, NDArray[Any]]
"""Packed tensors by name."""

_HISTORY = (packed.HISTORY_FLOATS, packed.HISTORY_IDS)

_Value = Callable[[View], NDArray[Any]]
_Plan = list[tuple[int | slice, _Value]]
"""Where each value goes, and how it is computed: a column number for width 1, else a slice."""


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
        self._plans = [(tensor.name, _item_shape(tensor), _plan(catalog, tensor)) for tensor in layout.tensors]

    def build(self, view: View) -> Tensors:
        """The packed tensors of a view: user and history tensors [U, …], candidate tensors [N, …]."""
        return {name: _fill(name, shape, plan, view) for name, shape, plan in self._plans}

    def build_beside(self, view: View, built: list[tuple[TensorLayout, NDArray[Any]]]) -> Tensors:
        """The same, but takes over what was built of this view for other layouts, and leaves there what is new.

        Args:
            view: The view.
            built: Tensors with their columns; a list, for to compare with a few is faster than to hash one.
        """
        tensors: Tensors = {}
        for tensor, (name, shape, plan) in zip(self.layout.tensors, self._plans, strict=True):
            found = next((values for columns, values in built if columns == tensor), None)
            if found is None:
                found = _fill(name, shape, plan, view)
                built.append((tensor, found))
            tensors[name] = found
        return tensors


def _plan(catalog: Catalog, tensor: TensorLayout) -> _Plan:
    """What fills a tensor, from left to right; neighbours that are parts of one block are filled together."""
    slices = tensor.slices()
    features = [catalog.by_reference[column.name, column.version] for column in tensor.columns]
    plan: _Plan = []
    for block, neighbours in groupby(features, key=lambda feature: feature.part and feature.part.block):
        if block is None:
            plan += [(_place(slices[feature.name]), feature.value) for feature in neighbours]
            continue
        family = list(neighbours)
        start, stop = slices[family[0].name].start, slices[family[-1].name].stop
        plan.append((slice(start, stop), _parts(catalog, family)))
    return plan


def _place(columns: slice) -> int | slice:
    return columns.start if columns.stop - columns.start == 1 else columns


def _parts(catalog: Catalog, family: list[Feature]) -> _Value:
    """Reads features of one family out of its block, [n, width of all]."""
    parts = [feature.part for feature in family if feature.part]
    block, places = parts[0].block, np.array([_place_in_block(catalog, part) for part in parts])

    def value(view: View) -> NDArray[Any]:
        columns = block(view).take(places, axis=1)
        return columns.reshape(len(columns), math.prod(columns.shape[1:]))  # numpy guesses no -1 of an empty array.

    return value


def _place_in_block(catalog: Catalog, part: Part) -> int:
    names = blocks(record_dtype(catalog.memories, part.entity))[part.field.partition(".")[0]]
    return names.index(part.field)


def _item_shape(tensor: TensorLayout) -> tuple[int, ...]:
    return (tensor.length, tensor.width) if tensor.name in _HISTORY else (tensor.width,)


def _fill(name: str, item_shape: tuple[int, ...], plan: _Plan, view: View) -> NDArray[Any]:
    rows = len(view.room if name in packed.CANDIDATE_TENSORS else view.user)
    filled = np.empty((rows, *item_shape), packed.DTYPES[name])
    for place, value in plan:
        filled[..., place] = value(view)
    return filled
