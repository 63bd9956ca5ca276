"""Similarity of streamers by who watched them, as a table of each one's nearest."""

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

SIMILARITIES = ("cosine", "bm25", "jaccard")

_BLOCK = 512
"""Streamers whose products are held at once, each of at most S numbers."""


@dataclass(frozen=True, slots=True)
class Similarity:
    """How alike two streamers i and j are, from columns r_i, r_j of the matrix of viewers × streamers.

    With g = ⟨r_i, r_j⟩, n_i = |r_i|, and a = `damping`:

    * `cosine`: g / (n_i^(2(1−a)) · n_j^(2a) + shrink). At a = ½ the cosine; above it the popular j are damped, below
      it they are raised (asymmetric cosine: Aiolli, "Efficient Top-N Recommendation for Very Large Scale Binary Rated
      Datasets", RecSys 2013, equation 3).
    * `bm25`: the same of columns whose values are weighted first, so that keen viewers of everything and streamers whom
      everybody watches tell less: idf(u) · r (k₁ + 1) / (r + k₁ (1 − b + b · |i| / mean |i|)), with |i| the sum of r_i
      (Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009, equation 3.15).
    * `jaccard`: g / (2 (1−a) n_i² + 2 a n_j² − g + shrink). At a = ½, and of zeros and ones, it is the viewers in
      common among all viewers of either; of other values Tanimoto's extension.

    Attributes:
        name: One of `SIMILARITIES`.
        neighbours: How many are kept of each streamer, itself apart.
        shrink: Added below the line: what few viewers in common say is taken less seriously, in units of n².
        damping: The exponent a, between 0 and 1.
        k1: k₁ of BM25, from which on more of the same says little.
        b: b of BM25, how much length counts.
    """

    name: str
    neighbours: int
    shrink: float
    damping: float
    k1: float
    b: float

    def __post_init__(self) -> None:
        """Checks name and exponent.

        Raises:
            ValueError: There is no such similarity, or the exponent is not between 0 and 1.
        """
        if self.name not in SIMILARITIES:
            raise ValueError(f"similarity: expected one of {', '.join(SIMILARITIES)}, received {self.name!r}")
        if not 0 <= self.damping <= 1:
            raise ValueError(f"damping: expected a number between 0 and 1, received {self.damping}")


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Each streamer's nearest, itself first.

    Attributes:
        rows: int32 [S, 1 + K], descending by similarity, ties by row; −1 where there is none.
        scores: float32 [S, 1 + K]; 0 where there is none.
    """

    rows: NDArray[np.int32]
    scores: NDArray[np.float32]


def neighbours(worth: Any, how: Similarity, threads: int | None = None) -> Neighbours:
    """The nearest of every streamer.

    Args:
        worth: Sparse [U, S], values above 0.
        how: The similarity.
        threads: Blocks of streamers at once; one a core if not given. The result does not depend on it.
    """
    columns: Any = sp.csc_matrix(_bm25(worth, how) if how.name == "bm25" else worth, dtype=np.float64)
    streamers = columns.shape[1]
    squares = np.asarray(columns.multiply(columns).sum(axis=0)).ravel()
    width = min(how.neighbours, max(streamers - 1, 0)) + 1
    rows, scores = np.full((streamers, width), -1, np.int32), np.zeros((streamers, width), np.float32)
    by_viewer = columns.tocsr()

    def fill(start: int) -> None:
        block = columns[:, start : start + _BLOCK]
        products: Any = sp.csr_matrix(block.T @ by_viewer)
        for place in range(products.shape[0]):
            own = start + place
            part = slice(*products.indptr[place : place + 2])
            others, g = products.indices[part], products.data[part]
            found, score = _nearest(own, others, _score(g, squares[own], squares[others], how), width)
            rows[own, : len(found)], scores[own, : len(found)] = found, score

    _each(range(0, streamers, _BLOCK), fill, threads or os.cpu_count() or 1)
    return Neighbours(rows, scores)


def _each(starts: Iterable[int], fill: Any, threads: int) -> None:
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(fill, start) for start in starts]:
            done.result()


def _score(g: NDArray[np.float64], own: float, other: NDArray[np.float64], how: Similarity) -> NDArray[np.float64]:
    """Similarities from products g [C] and the squares of the norms, own and of the others [C]."""
    a = how.damping
    if how.name == "jaccard":
        return g / (2 * (1 - a) * own + 2 * a * other - g + how.shrink)
    return g / (own ** (1 - a) * other**a + how.shrink)


def _nearest(
    own: int, others: NDArray[np.int32], score: NDArray[np.float64], width: int
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """The `width` greatest with their scores: `own` first whatever its score, then descending, ties by row."""
    rank = np.where(others == own, np.inf, score)
    if len(rank) > width:
        # All that tie with the last place are sorted, so that the order of the products decides nothing.
        kept = rank >= np.partition(rank, len(rank) - width)[len(rank) - width]
        others, score, rank = others[kept], score[kept], rank[kept]
    order = np.lexsort((others, -rank))[:width]
    return others[order], score[order]


def _bm25(worth: Any, how: Similarity) -> Any:
    """The matrix with BM25 weights; streamers are the documents, viewers the terms."""
    cells: Any = sp.coo_matrix(worth, dtype=np.float64)
    viewers, streamers = cells.shape
    length = np.bincount(cells.col, cells.data, minlength=streamers)
    watched = np.bincount(cells.row, minlength=viewers)
    rarity = np.log1p((streamers - watched + 0.5) / (watched + 0.5))
    norm = 1 - how.b + how.b * length / max(float(length.mean()), 1e-12)
    data = cells.data * (how.k1 + 1) / (cells.data + how.k1 * norm[cells.col]) * rarity[cells.row]
    return sp.coo_matrix((data, (cells.row, cells.col)), cells.shape)
