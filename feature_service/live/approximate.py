"""Approximate search over many vectors: cells of an inverted file, of which a search visits the nearest.

The library is faiss (Douze et al. 2024, "The Faiss library"), an optional one. An inverted file fits live rooms:
500 rooms are wanted, not 10, and rooms come and go all the time. Measured on 50,000 vectors of width 64, a graph
(HNSW, usearch) took 600 µs of CPU an insert and answered 500 rooms slower than the exact index did.
"""

import importlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from feature_service.live.exact import Block, Rows, Vectors

TRAIN_PER_CELL = 40
TRAIN_ROUNDS = 10
"""Rounds and vectors a cell of k-means."""

LEAST_PER_WANTED = 4
"""A search visits cells for at least so many rooms per room that is wanted."""


@dataclass(frozen=True, slots=True)
class Approximation:
    """When and how closely to approximate.

    Attributes:
        above: From so many rooms on the search is approximate; 0 = never.
        probe: Share of the cells that a search visits, above 0, at most 1; 1 finds what the exact search finds.
    """

    above: int = 0
    probe: float = 0.1

    def __post_init__(self) -> None:
        """Checks the ranges.

        Raises:
            ValueError: One of them is out of its range.
        """
        if self.above < 0:
            raise ValueError(f"approximate_above: expected 0 or a number of rooms, received {self.above}")
        if not 0 < self.probe <= 1:
            raise ValueError(f"approximate_probe: expected a share above 0 and at most 1, received {self.probe}")


EXACT = Approximation()
"""Never approximates."""


def load_faiss() -> Any:
    """The library; it takes a tenth of a second, and only who approximates needs it.

    Raises:
        ImportError: It is not installed; says how to.
    """
    try:
        return importlib.import_module("faiss")
    except ImportError:
        raise ImportError(
            "approximate_above: expected the package faiss-cpu (pip install 'onair[ann]'), found none"
        ) from None


class ApproximateIndex:
    """An inverted file: a room lies in the cell of its nearest centre, a search scores the rooms of the nearest cells.

    Greatest inner product becomes least distance by one more coordinate (Bachrach et al. 2014, "Speeding up the Xbox
    recommender system using a Euclidean transformation", eq. 4 and 5): x' = (x, √(M² − |x|²)) with M the greatest norm,
    and q' = (q, 0), scaled to about M. Cells of the plain vectors would miss the long ones. One thread uses it.
    """

    def __init__(self, blocks: Sequence[Block], probe: float) -> None:
        """Learns the cells from rooms that are there; holds none of them yet.

        Args:
            blocks: At least one room.
            probe: Share of the cells that a search visits.

        Raises:
            ImportError: The library is not installed.
        """
        self._faiss = load_faiss()
        self._faiss.omp_set_num_threads(1)
        count = sum(len(block.rows) for block in blocks)
        self._cells = min(count, round(2 * math.sqrt(count)))
        self._probe = probe
        self._longest = math.sqrt(max(float(_squares(block.vectors).max()) for block in blocks))
        width = blocks[0].vectors.shape[1] + 1
        self._centres = self._faiss.IndexFlatL2(width)
        self._lists = self._faiss.IndexIVFFlat(self._centres, width, self._cells, self._faiss.METRIC_INNER_PRODUCT)
        self._train(blocks, count)
        self._lists.set_direct_map_type(self._faiss.DirectMap.Hashtable)

    def __len__(self) -> int:
        """Number of rooms."""
        return int(self._lists.ntotal)

    def put(self, rows: Rows, vectors: Vectors) -> None:
        """Inserts rooms, or replaces their vectors.

        Args:
            rows: Rows of the room table, each once, intp [n].
            vectors: float32 [n, width].
        """
        self.remove_all(rows)
        self._faiss.omp_set_num_threads(1)  # Of this thread: sharing an insert would wait for the other threads.
        self._lists.add_with_ids(self._lifted(vectors), rows.astype(np.int64))

    def remove(self, row: int) -> None:
        """Takes a room out. A room that is not there changes nothing."""
        self.remove_all(np.array([row], np.intp))

    def remove_all(self, rows: Rows) -> None:
        """Takes rooms out, each as `remove` does."""
        self._lists.remove_ids(rows.astype(np.int64))

    def search(self, vector: Vectors, k: int) -> tuple[Rows, Vectors]:
        """Rooms with great inner products: of the rooms in the cells that are visited, the greatest.

        Args:
            vector: float32 [width].
            k: How many.

        Returns:
            Rows, intp [min(k, len)], and scores, float32, descending; equal scores by ascending row.
        """
        k = min(k, len(self))
        if k <= 0:
            return np.zeros(0, np.intp), np.zeros(0, np.float32)
        share = min(1.0, max(self._probe, LEAST_PER_WANTED * k / len(self)))
        rows, scores = self._search(vector, k, math.ceil(share * self._cells))
        if len(rows) < k:  # The nearest cells were nearly empty.
            rows, scores = self._search(vector, k, self._cells)
        order = np.lexsort((rows, -scores))
        return rows[order], scores[order]

    def _search(self, vector: Vectors, k: int, cells: int) -> tuple[Rows, Vectors]:
        norm = float(np.linalg.norm(vector))
        # To a power of two, so that the scores come back as they are.
        scale = np.float32(2.0 ** round(math.log2(self._longest / norm)) if norm and self._longest else 1.0)
        query = np.append(vector * scale, np.float32(0))[None]
        self._lists.nprobe = cells
        products, rows = self._lists.search(query, k)
        found = rows[0] >= 0
        return rows[0][found].astype(np.intp), products[0][found] / scale

    def _train(self, blocks: Sequence[Block], count: int) -> None:
        """Finds the centres by k-means over rooms at even distances."""
        step = max(1, count // (self._cells * TRAIN_PER_CELL))
        training = self._lists.cp
        training.niter, training.spherical = TRAIN_ROUNDS, False
        training.min_points_per_centroid = 1
        self._lists.train(np.concatenate([self._lifted(block.vectors[::step]) for block in blocks]))

    def _lifted(self, vectors: Vectors) -> Vectors:
        """With the coordinate that makes all of them equally long; none for what has come since and is longer."""
        rest = np.maximum(self._longest**2 - _squares(vectors), 0)
        return np.concatenate((vectors, np.sqrt(rest)[:, None]), axis=1, dtype=np.float32)


def _squares(vectors: Vectors) -> Vectors:
    """Squared lengths, float32 [n]."""
    return np.einsum("ij,ij->i", vectors, vectors)
