"""Measures of a channel over the questions of a comparison: how well it finds, and whom it shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.compare.found import NOT_FOUND, Found
from training.compare.questions import Questions
from training.data.samples import RoomVersions
from training.metrics import hits, ndcg

KS = (1, 10, 50, 100, 500)
SLATE = 10
"""How many rooms a viewer is shown: NDCG, hit rate and exposure speak of so many."""

SEGMENTS = ("all", "new", "repeat")
"""All questions; those whose viewer never entered the target's streamer before; those whose viewer did."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """Who is shown in the first places.

    Attributes:
        coverage: Share of the streamers offered that are shown at all.
        cold_share: Share of the places with a streamer whom nobody entered in the training period.
        gini: Of the places of each streamer offered: 0 = all equal, 1 = one has all.
        lorenz: Share of all places that the least shown q of the streamers have, at q = 0, 0.01, …, 1, float64 [101].
    """

    coverage: float
    cold_share: float
    gini: float
    lorenz: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Measures:
    """A channel, or several merged, on all questions.

    Attributes:
        quality: By segment and metric: `recall@k`, `ndcg@10`, `hit_rate@10`; a segment without questions has none.
        found: Rooms found a question, on average.
        exposure: Of the first places.
        train_s: Seconds of training; 0 = it needs none.
        query_us: Processor time of a question, microseconds.
    """

    quality: Mapping[str, Mapping[str, float]]
    found: float
    exposure: Exposure
    train_s: float
    query_us: float


def cut_offs(questions: Questions, ks: Sequence[int] = KS) -> tuple[int, ...]:
    """The k that are at most a tenth of the rooms offered: beyond, nearly any order would find the target."""
    return tuple(k for k in ks if k <= questions.mean_offered / 10)


def measure(
    found: Found, questions: Questions, rooms: RoomVersions, known: NDArray[np.int64], *, train_s: float = 0.0
) -> Measures:
    """Measures what was found.

    Args:
        found: Lists of rooms.
        questions: What was asked; at least one.
        rooms: The rooms.
        known: Keys of the streamers who were entered in the training period, int64 [S].
        train_s: Seconds of training.
    """
    ranks = found.ranks(questions)
    masks = {"all": np.ones(len(questions), np.bool_), "new": ~questions.repeat, "repeat": questions.repeat}
    ks = cut_offs(questions)
    quality = {
        name: _quality(ranks[mask], questions.cases.user_row[mask], ks) for name, mask in masks.items() if mask.any()
    }
    mean = float(np.mean([len(places) for places in found.places]))
    return Measures(quality, mean, exposure(found, questions, rooms, known), train_s, found.query_us)


def exposure(found: Found, questions: Questions, rooms: RoomVersions, known: NDArray[np.int64]) -> Exposure:
    """Who is shown in the first `SLATE` places; arguments as of `measure`."""
    shown = [rows[places[:SLATE]] for rows, places in zip(questions.offered, found.places, strict=True)]
    streamer = rooms.streamer[np.concatenate(shown)]
    offered = np.unique(rooms.streamer[np.unique(np.concatenate(questions.offered))])
    counts = np.bincount(np.searchsorted(offered, streamer), minlength=len(offered))
    cold = ~np.isin(streamer, known)
    return Exposure(
        coverage=float((counts > 0).mean()),
        cold_share=float(cold.mean()) if len(cold) else 0.0,
        gini=gini(counts),
        lorenz=lorenz(counts),
    )


def gini(counts: NDArray[np.integer]) -> float:
    """G = Σ_i (2i − n − 1) x_i / (n Σ x) over ascending x_i, i from 1; 0 where nothing is counted."""
    ordered = np.sort(counts).astype(np.float64)
    n = len(ordered)
    if not ordered.sum():
        return 0.0
    return float(((2 * np.arange(1, n + 1) - n - 1) * ordered).sum() / (n * ordered.sum()))


def lorenz(counts: NDArray[np.integer]) -> NDArray[np.float64]:
    """The share that the smallest q of the counts hold together, at q = 0, 0.01, …, 1, float64 [101]."""
    total = np.concatenate([[0.0], np.cumsum(np.sort(counts))])
    shares = total / max(total[-1], 1.0)
    return np.interp(np.linspace(0, 1, 101), np.linspace(0, 1, len(shares)), shares)


def hand_off(merged: Found, ranked: Found, questions: Questions) -> tuple[float, float]:
    """The share of targets that recall hands over among the merged, and the share of these that ranking then keeps.

    Kept is what stands among the first `SLATE`.
    """
    handed = merged.ranks(questions) != NOT_FOUND
    kept = ranked.ranks(questions)[handed] < SLATE
    return float(handed.mean()), float(kept.mean()) if len(kept) else 0.0


def _quality(ranks: NDArray[np.int64], request: NDArray[np.intp], ks: Sequence[int]) -> dict[str, float]:
    first = np.full(int(request.max()) + 1, np.iinfo(np.int64).max)
    np.minimum.at(first, request, ranks)
    best = first[np.unique(request)]
    quality = {f"recall@{k}": float(hits(ranks, k).mean()) for k in ks}
    return quality | {
        f"ndcg@{SLATE}": float(ndcg(ranks, SLATE).mean()),
        f"hit_rate@{SLATE}": float(hits(best, SLATE).mean()),
    }
