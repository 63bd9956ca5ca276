"""Examples: batches of whole slates, sliced from columns without a Python loop over rows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_service.features.layout import DTYPES, USER_FLOATS, USER_IDS, Layout, TensorLayout
from training.data.samples import Samples
from training.heads import HEAD_NAMES

Batch = dict[str, NDArray[Any]]
"""Packed tensors by name; `slate` int32 [N]; `labels` float32 and `mask` bool [N, heads]; `entered` and `censored`
bool [N]; `position` int32 [N]; `streamer` int64 [N]; `user` and `time_ms` int64 [U]; `step` int64 scalar."""


class LayoutMismatchError(ValueError):
    """The samples lack a column that the model reads."""


def repack(tensors: Mapping[str, NDArray[Any]], source: Layout, target: Layout) -> Batch:
    """The columns of `target` out of tensors packed as `source`; tensors that `tensors` lacks are left out.

    Raises:
        LayoutMismatchError: A column is missing, or has another version or shape.
    """
    wanted = [tensor for tensor in target.tensors if tensor.name in tensors]
    return {tensor.name: _columns(tensors[tensor.name], source[tensor.name], tensor) for tensor in wanted}


def _columns(values: NDArray[Any], source: TensorLayout, target: TensorLayout) -> NDArray[Any]:
    if source == target:
        return values
    places = source.slices()
    specs = {column.name: column.spec for column in source.columns}
    columns: list[int] = []
    for column in target.columns:
        if specs.get(column.name) != column.spec:
            found = specs.get(column.name, "none of that name")
            raise LayoutMismatchError(f"{target.name}: expected a column {column.spec}, received {found}")
        columns += range(places[column.name].start, places[column.name].stop)
    return np.ascontiguousarray(values[..., columns])


def repacked(samples: Samples, layout: Layout) -> Samples:
    """The same samples with just the columns and heads of `layout`.

    Raises:
        LayoutMismatchError: A column is missing.
    """
    slates, candidates = samples.slates, samples.candidates
    for tensor in layout.tensors:
        if tensor.name not in slates.tensors and tensor.name not in candidates.tensors:
            raise LayoutMismatchError(f"{tensor.name}: expected a tensor of that name in the samples, received none")
    return replace(
        samples,
        layout=layout,
        slates=replace(slates, tensors=repack(slates.tensors, samples.layout, layout)),
        candidates=replace(candidates, tensors=repack(candidates.tensors, samples.layout, layout)),
    )


@dataclass(frozen=True, slots=True)
class Examples:
    """Samples ready to be cut into batches.

    Attributes:
        samples: Exactly the columns of the model.
        first: First candidate row of each slate, and the number of candidates at the end, int64 [U + 1].
        heads: Label columns of the model's heads, int64 [heads].
    """

    samples: Samples
    first: NDArray[np.int64]
    heads: NDArray[np.int64]

    @classmethod
    def of(cls, samples: Samples, layout: Layout) -> "Examples":
        """Examples of a model that reads `layout`.

        Raises:
            LayoutMismatchError: The samples lack a column of it.
        """
        counts = np.bincount(samples.candidates.slate, minlength=len(samples.slates.user))
        first = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        heads = np.array([HEAD_NAMES.index(head) for head in layout.heads], np.int64)
        return cls(repacked(samples, layout), first, heads)

    def __len__(self) -> int:
        """Number of slates."""
        return len(self.first) - 1

    def batch(self, slates: NDArray[np.int64], step: int) -> Batch:
        """The batch of these slates, int64 [U], in this order, with all their candidates."""
        counts = self.first[slates + 1] - self.first[slates]
        stops = np.cumsum(counts)
        rows = np.repeat(self.first[slates] - (stops - counts), counts) + np.arange(counts.sum())
        candidates = self.samples.candidates
        batch: Batch = {name: values[slates] for name, values in self.samples.slates.tensors.items()}
        batch |= {name: values[rows] for name, values in candidates.tensors.items()}
        return batch | {
            "slate": np.repeat(np.arange(len(slates), dtype=np.int32), counts),
            "labels": candidates.labels[rows][:, self.heads],
            "mask": candidates.mask[rows][:, self.heads],
            "entered": candidates.entered[rows],
            "censored": candidates.censored[rows],
            "position": candidates.position[rows].astype(np.int32),
            "streamer": candidates.streamer[rows],
            "user": self.samples.slates.user[slates],
            "time_ms": self.samples.slates.time_ms[slates],
            "step": np.asarray(step, np.int64),
        }

    def batches(self, batch_slates: int, order: NDArray[np.int64], first_step: int = 0) -> Iterator[Batch]:
        """Batches of `batch_slates` slates in that order, the last one smaller; steps count from `first_step`."""
        for place, start in enumerate(range(0, len(order), batch_slates)):
            yield self.batch(order[start : start + batch_slates], first_step + place)


def blank_batch(layout: Layout) -> Batch:
    """A batch of one viewer and two candidates, all zeros: what a model needs to create its variables."""
    batch: Batch = {}
    for tensor in layout.tensors:
        rows = 1 if tensor.length or tensor.name in (USER_FLOATS, USER_IDS) else 2
        shape = (rows, tensor.length, tensor.width) if tensor.length else (rows, tensor.width)
        batch[tensor.name] = np.zeros(shape, DTYPES[tensor.name])
    return batch | {
        "slate": np.zeros(2, np.int32),
        "labels": np.zeros((2, len(layout.heads)), np.float32),
        "mask": np.ones((2, len(layout.heads)), np.bool_),
        "entered": np.zeros(2, np.bool_),
        "censored": np.zeros(2, np.bool_),
        "position": np.full(2, -1, np.int32),
        "streamer": np.zeros(2, np.int64),
        "user": np.zeros(1, np.int64),
        "time_ms": np.zeros(1, np.int64),
        "step": np.asarray(0, np.int64),
    }
