"""Baselines of ranking: predictions of impressions that need no model."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from training.data.samples import Samples
from training.heads import HEAD_NAMES

PRIOR_IMPRESSIONS = 20.0
"""A streamer's rate is smoothed with this many impressions at the overall rate."""


def ranking_baselines(
    training: Samples, samples: Samples, heads: Sequence[str], seed: int = 0
) -> Mapping[str, NDArray[np.float32]]:
    """Predictions without a model, float32 [N, heads] by name.

    `popularity` is the streamer's mean label in training, smoothed towards the overall mean; `random` are the same
    numbers dealt out to the impressions at random, so that they are as calibrated overall but know nothing.
    """
    columns = [_streamer_means(training, samples, HEAD_NAMES.index(head)) for head in heads]
    popularity = np.stack(columns, axis=1).astype(np.float32)
    return {"popularity": popularity, "random": np.random.default_rng(seed).permutation(popularity)}


def _streamer_means(training: Samples, samples: Samples, head: int) -> NDArray[np.float64]:
    """(Σ labels + prior · mean) / (impressions + prior) of the impression's streamer, [N]."""
    seen = training.candidates
    kept = seen.mask[:, head]
    labels = seen.labels[kept, head].astype(np.float64)
    mean = labels.mean() if len(labels) else 0.0
    known, streamer = np.unique(np.append(samples.candidates.streamer, seen.streamer[kept]), return_inverse=True)
    wanted, trained = np.split(streamer, [len(samples.candidates.streamer)])
    total = np.bincount(trained, labels, minlength=len(known))
    count = np.bincount(trained, minlength=len(known))
    return ((total + PRIOR_IMPRESSIONS * mean) / (count + PRIOR_IMPRESSIONS))[wanted]
