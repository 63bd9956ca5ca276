"""The live index: nearest rooms on air by inner product of vectors, exact, or approximate above a size."""

import logging
from typing import Protocol

import numpy as np

from feature_service.live.approximate import EXACT, ApproximateIndex, Approximation, load_faiss
from feature_service.live.build import Build
from feature_service.live.exact import ExactIndex, Rows, Vectors

log = logging.getLogger(__name__)


class VectorIndex(Protocol):
    """What finds the rooms with the greatest inner products."""

    def __len__(self) -> int:
        """Number of rooms."""
        ...

    def put(self, rows: Rows, vectors: Vectors) -> None:
        """Inserts rooms, or replaces their vectors."""
        ...

    def remove(self, row: int) -> None:
        """Takes a room out; one that is not there changes nothing."""
        ...

    def search(self, vector: Vectors, k: int) -> tuple[Rows, Vectors]:
        """The rooms with the greatest inner products: at most k rows and their scores, best first."""
        ...


class LiveIndex:
    """The vectors of the rooms on air.

    The exact index always holds all of them. Above a size an approximate one is built beside it by a thread of its own
    and then answers; until then, and while it cannot be built, the exact one does. It is built anew when the number of
    rooms has doubled or halved since. One thread uses it, the event loop's: a write is done when `put` or `remove`
    returns, the next search sees it, and none waits for a build.
    """

    def __init__(self, width: int, approximation: Approximation = EXACT) -> None:
        """An empty index.

        Args:
            width: Length of the vectors.
            approximation: When to approximate.

        Raises:
            ImportError: It may have to approximate, and the library is not installed.
        """
        self._exact = ExactIndex(width)
        self._approximation = approximation
        self._approximate: ApproximateIndex | None = None
        self._build: Build | None = None
        self._built_for = 0
        if self._approximation.above:
            load_faiss()

    def __len__(self) -> int:
        """Number of rooms."""
        return len(self._exact)

    def __contains__(self, row: object) -> bool:
        """Whether the room has a vector."""
        return row in self._exact

    @property
    def approximates(self) -> bool:
        """Whether searches are approximate now."""
        return self._approximate is not None

    def put(self, rows: Rows, vectors: Vectors) -> None:
        """Inserts rooms, or replaces their vectors; a room whose vector is not finite is taken out, and logged.

        Args:
            rows: Rows of the room table, each once, intp [n].
            vectors: float32 [n, width].

        Raises:
            ValueError: Vectors of another shape, a row below 0 or twice.
        """
        self._check(rows, vectors)
        finite = np.isfinite(vectors).all(axis=1)
        if not finite.all():
            log.warning("%d of %d room vectors are not finite: no recall by them", len(rows) - finite.sum(), len(rows))
            for row in rows[~finite].tolist():
                self.remove(row)
            rows, vectors = rows[finite], vectors[finite]
        self._exact.put(rows, vectors)
        if self._approximate is not None:
            self._approximate.put(rows, vectors)
        self._follow_size(len(rows))

    def remove(self, row: int) -> None:
        """Takes a room out. A room that is not there changes nothing."""
        self._exact.remove(row)
        if self._approximate is not None:
            self._approximate.remove(row)
        self._follow_size(1)

    def search(self, vector: Vectors, k: int) -> tuple[Rows, Vectors]:
        """The rooms with the greatest inner products.

        Args:
            vector: float32 [width].
            k: How many.

        Returns:
            Rows, intp [min(k, len)], and scores, float32, descending; equal scores by ascending row.

        Raises:
            ValueError: The vector has another width, or is not finite.
        """
        if vector.shape != (self._exact.width,) or not np.isfinite(vector).all():
            raise ValueError(f"vector: expected {self._exact.width} finite numbers, received {vector!r}")
        self._follow_size(1)
        index: VectorIndex = self._approximate or self._exact
        return index.search(np.ascontiguousarray(vector, np.float32), k)

    def _check(self, rows: Rows, vectors: Vectors) -> None:
        if vectors.shape != (len(rows), self._exact.width):
            raise ValueError(f"vectors: expected {(len(rows), self._exact.width)}, received {vectors.shape}")
        if len(rows) and int(rows.min()) < 0:
            raise ValueError(f"rows: expected none below 0, received {rows.min()}")
        if len(rows) > 1:
            known, times = np.unique(rows, return_counts=True)
            if len(known) < len(rows):
                raise ValueError(f"rows: expected each once, received {known[times > 1][0]} twice")

    def _follow_size(self, changes: int) -> None:
        """Starts a build, lets it follow, takes it over or drops it, as the number of rooms asks for."""
        above, count = self._approximation.above, len(self)
        if not above:
            return
        if self._build is not None:
            self._follow_build(self._build, changes)
        elif count >= above and not count / 2 <= self._built_for <= 2 * count:
            self._built_for = count
            self._build = Build(self._exact, self._approximation.probe)
        elif count < above / 2:
            self._approximate, self._built_for = None, 0

    def _follow_build(self, build: Build, changes: int) -> None:
        try:
            made = build.caught_up(_CATCH_UP + 2 * changes)
        except Exception:
            log.exception("the approximate index was not built: the search goes on as before")
            self._build = None
            return
        if made is not None:
            self._approximate, self._build = made, None
            log.info("searches among %d rooms are approximate", len(self))


_CATCH_UP = 200
"""Rooms that a new approximate index catches up with in one call, beside twice what the call changes: under 2 ms."""
