"""The live index: exact nearest rooms on air by inner product of vectors."""

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.intp]
Vectors = NDArray[np.float32]

_FIRST_CAPACITY = 64


class LiveIndex:
    """The vectors of the rooms on air, dense, so that a search is one matrix-vector product.

    Exact on purpose: 20,000 rooms of width 64 are 5 MB, and a core searches them in 0.3 ms. One thread uses it, the
    event loop's.
    """

    def __init__(self, width: int) -> None:
        """An empty index.

        Args:
            width: Length of the vectors.
        """
        self._vectors: Vectors = np.zeros((_FIRST_CAPACITY, width), np.float32)
        self._rows: Rows = np.zeros(_FIRST_CAPACITY, np.intp)
        self._slots: dict[int, int] = {}

    def __len__(self) -> int:
        """Number of rooms."""
        return len(self._slots)

    def __contains__(self, row: object) -> bool:
        """Whether the room has a vector."""
        return row in self._slots

    def put(self, rows: Rows, vectors: Vectors) -> None:
        """Inserts rooms, or replaces their vectors.

        Args:
            rows: Rows of the room table, intp [n].
            vectors: float32 [n, width].
        """
        slots = np.array([self._slots.setdefault(row, len(self._slots)) for row in rows.tolist()], np.intp)
        self._reserve(len(self._slots))
        self._rows[slots] = rows
        self._vectors[slots] = vectors

    def remove(self, row: int) -> None:
        """Takes a room out; the last slot moves into its place. A room that is not there changes nothing."""
        slot = self._slots.pop(row, None)
        if slot is None:
            return
        last = len(self._slots)
        if slot != last:
            moved = int(self._rows[last])
            self._rows[slot] = moved
            self._vectors[slot] = self._vectors[last]
            self._slots[moved] = slot

    def search(self, vector: Vectors, k: int) -> tuple[Rows, Vectors]:
        """The rooms with the greatest inner products.

        Args:
            vector: float32 [width].
            k: How many.

        Returns:
            Rows, intp [min(k, len)], and scores, float32, descending; equal scores by ascending row.
        """
        count = len(self._slots)
        # Not `@`: BLAS would share this between threads, which on a busy machine waits for milliseconds.
        scores: Vectors = np.einsum("ij,j->i", self._vectors[:count], vector)
        slots = _greatest(scores, min(k, count))
        rows = self._rows[slots]
        order = np.lexsort((rows, -scores[slots]))[:k]
        return rows[order], scores[slots][order]

    def _reserve(self, count: int) -> None:
        held = len(self._rows)
        if count <= held:
            return
        capacity = max(count, 2 * held)
        vectors = np.zeros((capacity, self._vectors.shape[1]), np.float32)
        rows = np.zeros(capacity, np.intp)
        vectors[:held], rows[:held] = self._vectors, self._rows
        self._vectors, self._rows = vectors, rows


def _greatest(scores: Vectors, k: int) -> NDArray[np.intp]:
    """Places of the k greatest scores and of all that equal the last of them, so that ties can break by row."""
    if k <= 0:
        return np.zeros(0, np.intp)
    if k == len(scores):
        return np.arange(k)
    least = np.partition(scores, len(scores) - k)[len(scores) - k]
    return np.flatnonzero(scores >= least)
