"""What is fitted on the training samples and then lives in the SavedModel: vocabularies, moments, base rates."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from feature_service.features.layout import Layout, TensorLayout
from feature_service.features.schema import Encoding, Feature
from training.data.samples import Samples
from training.heads import HEAD_NAMES
from training.outputs import output_of

Encodings = Mapping[str, tuple[Encoding, str]]
"""How a model takes each feature in: encoding and, of an id, the vocabulary that its keys belong to (else "")."""


def encodings_of(features: Iterable[Feature]) -> Encodings:
    """The encodings that features declare, by name."""
    return {feature.name: (feature.encoding, feature.vocabulary) for feature in features}


@dataclass(frozen=True, slots=True)
class Fitted:
    """Statistics of the training samples.

    Attributes:
        vocabularies: The keys that were seen often enough, int64 [K], ascending, by vocabulary.
        means: Mean of each float feature by name, float32 [width]; of a LOG feature, of log1p.
        scales: Its standard deviation by name, float32 [width], 1 where the values do not vary.
        priors: What a head's raw outputs start from, float32 [outputs] by head, see `training.outputs`.
    """

    vocabularies: Mapping[str, NDArray[np.int64]]
    means: Mapping[str, NDArray[np.float32]]
    scales: Mapping[str, NDArray[np.float32]]
    priors: Mapping[str, NDArray[np.float32]]


def fit(samples: Samples, layout: Layout, encodings: Encodings, *, min_count: int) -> Fitted:
    """Fits vocabularies, moments and base rates.

    Args:
        samples: The training samples; their tensors hold exactly the columns of `layout`.
        layout: The columns and heads of the model.
        encodings: How each column is taken in.
        min_count: A key that occurs less often is left out, so that the rows for unknown keys are trained too.
    """
    tensors = samples.slates.tensors | samples.candidates.tensors
    means: dict[str, NDArray[np.float32]] = {}
    scales: dict[str, NDArray[np.float32]] = {}
    keys: dict[str, list[NDArray[np.int64]]] = {}
    for tensor in layout.tensors:
        for name, place in tensor.slices().items():
            encoding, vocabulary = encodings[name]
            values = tensors[tensor.name][..., place]
            if encoding is Encoding.ID:
                keys.setdefault(vocabulary, []).append(values.astype(np.int64, copy=False).ravel())
            else:
                means[name], scales[name] = _moments(_flat(values, tensor), encoding)
    vocabularies = {name: _frequent(np.concatenate(parts), min_count) for name, parts in keys.items()}
    return Fitted(vocabularies, means, scales, {head: _prior(samples, head) for head in layout.heads})


def _flat(values: NDArray[np.generic], tensor: TensorLayout) -> NDArray[np.float64]:
    """Values [rows, width]; of a sequence, only steps that are not all padding."""
    rows = values.reshape(-1, values.shape[-1]).astype(np.float64)
    return rows[np.any(rows != 0, axis=-1)] if tensor.length else rows


def _moments(rows: NDArray[np.float64], encoding: Encoding) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and scale [width] over the finite values."""
    width = rows.shape[-1]
    if encoding is Encoding.FLAG or not len(rows):
        return np.zeros(width, np.float32), np.ones(width, np.float32)
    finite = np.isfinite(rows)
    values = np.where(finite, rows, 0.0)
    if encoding is Encoding.LOG:
        values = np.log1p(np.maximum(values, 0.0))
    count = np.maximum(finite.sum(axis=0), 1)
    mean = values.sum(axis=0) / count
    deviation = np.sqrt((np.where(finite, values - mean, 0.0) ** 2).sum(axis=0) / count)
    return mean.astype(np.float32), np.where(deviation > 1e-6, deviation, 1.0).astype(np.float32)


def _frequent(keys: NDArray[np.int64], min_count: int) -> NDArray[np.int64]:
    """The keys other than 0 that occur at least `min_count` times, ascending."""
    unique, counts = np.unique(keys, return_counts=True)
    return unique[(counts >= min_count) & (unique != 0)]


def _prior(samples: Samples, head: str) -> NDArray[np.float32]:
    """What the head's outputs start from, over the impressions that have the label."""
    column = HEAD_NAMES.index(head)
    labels = samples.candidates.labels[samples.candidates.mask[:, column], column].astype(np.float64)
    return output_of(head).prior(labels)
