"""The table of the NCF protocol: the recall methods beside popularity, on one split, over seeds."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from training.collaborative.similarity import Similarity, neighbours
from training.compare.ials import Ials, fit_ials
from training.compare.ncf import NcfScorer, measure_ncf
from training.compare.ncf_data import NcfData
from training.compare.ncf_neumf import NcfNeuMF, fit_neumf

OnEpoch = Callable[[int], None]
NcfFit = Callable[[NcfData, int, OnEpoch], NcfScorer]
"""Fits a model on the training ratings of a split, with a seed; it never looks at the targets."""


@dataclass(frozen=True, slots=True)
class NcfModel:
    """A row of the table.

    Attributes:
        fit: Makes its scorer.
        seeded: Whether the seed changes anything; otherwise it is fitted once.
        epochs: How many epochs a fit tells of.
    """

    fit: NcfFit
    seeded: bool = True
    epochs: int = 1


@dataclass(frozen=True, slots=True)
class NcfResult:
    """A model's figures, a number a seed.

    Attributes:
        hit_rate: HR@10 among the given negatives, float64 [seeds].
        ndcg: NDCG@10 among them.
        full_hit_rate: HR@10 among all items that were not rated.
        full_ndcg: NDCG@10 among them.
        train_s: Seconds of fitting.
        seeds: The seeds, as many as numbers.
    """

    hit_rate: NDArray[np.float64]
    ndcg: NDArray[np.float64]
    full_hit_rate: NDArray[np.float64]
    full_ndcg: NDArray[np.float64]
    train_s: NDArray[np.float64]
    seeds: tuple[int, ...]


def popularity(data: NcfData, _seed: int, _on_epoch: OnEpoch) -> NcfScorer:
    """How often an item was rated."""
    counts = np.bincount(data.item, minlength=data.items).astype(np.float64)
    return lambda users: np.tile(counts, (len(users), 1))


ITEM_CF = Similarity("bm25", neighbours=50, shrink=0.0, damping=0.5, k1=1.2, b=0.75)
"""Chosen on `NcfData.without_one_each` of MovieLens 1M."""


def item_cf(data: NcfData, _seed: int, _on_epoch: OnEpoch) -> NcfScorer:
    """Sum of the similarities of an item's nearest to it, over those of them that the user rated.

    The neighbourhood is that of the item that is scored, not of those that were rated: the latter's would hold the
    popular items over and over. On the validation split that is NDCG@10 .545 for .500.
    """
    rated = data.matrix()
    nearest = neighbours(rated, ITEM_CF)
    found = nearest.rows >= 0
    item = np.repeat(np.arange(data.items), found.sum(axis=1))
    table = sparse.csr_matrix((nearest.scores[found], (item, nearest.rows[found])), (data.items, data.items))
    return lambda users: (rated[users] @ table.T).toarray()


def ials(data: NcfData, seed: int, on_epoch: OnEpoch) -> NcfScorer:
    """The inner product of the vectors of `training.compare.ials`."""
    x, y = fit_ials(data.matrix(), Ials(), seed, on_epoch)
    return lambda users: x[users] @ y.T


NCF_MODELS: Mapping[str, NcfModel] = {
    "popularity": NcfModel(popularity, seeded=False),
    "item_cf": NcfModel(item_cf, seeded=False),
    "ials": NcfModel(ials, epochs=Ials().epochs),
    "neumf": NcfModel(fit_neumf, epochs=NcfNeuMF().epochs),
}
"""By name."""


def ncf_table(
    data: NcfData,
    models: Sequence[str] = tuple(NCF_MODELS),
    seeds: Sequence[int] = (0, 1, 2),
    on_progress: Callable[[str, int, int], None] = lambda *_: None,
) -> dict[str, NcfResult]:
    """Fits and measures models.

    Args:
        data: The split.
        models: Names in `NCF_MODELS`.
        seeds: A fit each, at least one; of models that draw nothing, the first alone.
        on_progress: Is told the model, the epochs that are done over all its seeds, and how many there will be.

    Raises:
        ValueError: A model is unknown, or there is no seed.
    """
    unknown = [name for name in models if name not in NCF_MODELS]
    if unknown or not seeds:
        expected = f"names among {list(NCF_MODELS)} and a seed or more"
        raise ValueError(f"models: expected {expected}, received {list(models)} and {list(seeds)}")
    return {name: _measured(data, name, NCF_MODELS[name], seeds, on_progress) for name in models}


def _measured(
    data: NcfData, name: str, model: NcfModel, seeds: Sequence[int], on_progress: Callable[[str, int, int], None]
) -> NcfResult:
    used = tuple(seeds) if model.seeded else tuple(seeds[:1])
    figures: list[tuple[float, float, float, float, float]] = []
    for place, seed in enumerate(used):
        before, total = place * model.epochs, len(used) * model.epochs
        started = time.perf_counter()
        scorer = model.fit(data, seed, lambda done, before=before, total=total: on_progress(name, before + done, total))
        seconds = time.perf_counter() - started
        scores = measure_ncf(data, scorer)
        figures.append((scores.hit_rate, scores.ndcg, scores.full_hit_rate, scores.full_ndcg, seconds))
        on_progress(name, before + model.epochs, total)
    return NcfResult(*np.array(figures).T, seeds=used)
