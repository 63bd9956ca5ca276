"""Exact search over the vectors of the rooms on air: one pass over memory, block by block."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.intp]
Vectors = NDArray[np.float32]

BLOCK = 32_768
"""Rooms in a block: its scores (128 KB) are still in the cache when they are compared, and the index grows by a block,
never by copying what it holds. Memory that no room has used yet is not touched, so that a small index stays small."""

_LANES = 64
"""Products are computed for whole groups of rooms, so that each runs through the same loop of BLAS and equal vectors
get equal scores, wherever they lie."""

_ROW = 0xFFFFFFFF
"""The bits of a rank that hold the row; so many rows fit into no memory."""


@dataclass(frozen=True, slots=True)
class Block:
    """The rooms of neighbouring slots.

    Attributes:
        rows: Rows of the room table, intp [BLOCK].
        vectors: Their vectors, float32 [BLOCK, width].
    """

    rows: Rows
    vectors: Vectors


class ExactIndex:
    """The k greatest inner products by the definition: every room is scored.

    The scores of a block are one matrix-vector product, which reads memory as fast as a core can when BLAS runs on one
    thread; only what reaches the k-th best so far is looked at further, for which a lower bound is found first. One
    thread uses it.
    """

    def __init__(self, width: int) -> None:
        """An empty index.

        Args:
            width: Length of the vectors.
        """
        self.width = width
        self._count = 0
        self._blocks: list[Block] = []
        self._slots: Rows = np.full(1024, -1, np.intp)
        self._scores: Vectors = np.empty(BLOCK, np.float32)
        self._changed: set[int] | None = None

    def __len__(self) -> int:
        """Number of rooms."""
        return self._count

    def __contains__(self, row: object) -> bool:
        """Whether the room has a vector."""
        return isinstance(row, int | np.integer) and bool(0 <= row < len(self._slots) and self._slots[row] >= 0)

    def put(self, rows: Rows, vectors: Vectors) -> None:
        """Inserts rooms, or replaces their vectors.

        Args:
            rows: Rows of the room table, each once, intp [n].
            vectors: float32 [n, width].
        """
        if not len(rows):
            return
        self._reserve(int(rows.max()))
        unknown = rows[self._slots[rows] < 0]
        self._slots[unknown] = np.arange(self._count, self._count + len(unknown))
        self._count += len(unknown)
        while len(self._blocks) * BLOCK < self._count:
            self._blocks.append(Block(np.zeros(BLOCK, np.intp), np.zeros((BLOCK, self.width), np.float32)))
        for block, places, here in self._places(rows):
            block.rows[places] = rows[here]
            block.vectors[places] = vectors[here]
        if self._changed is not None:
            self._changed.update(rows.tolist())

    def remove(self, row: int) -> None:
        """Takes a room out; the last slot moves into its place. A room that is not there changes nothing."""
        if row not in self:
            return
        slot, self._slots[row] = int(self._slots[row]), -1
        self._count -= 1
        gap, last = self._at(slot), self._at(self._count)
        moved = int(last[0].rows[last[1]])
        if moved != row:
            gap[0].rows[gap[1]] = moved
            gap[0].vectors[gap[1]] = last[0].vectors[last[1]]
            self._slots[moved] = slot
        if self._changed is not None:
            self._changed.update((row, moved))

    def search(self, vector: Vectors, k: int) -> tuple[Rows, Vectors]:
        """The rooms with the greatest inner products.

        Args:
            vector: float32 [width].
            k: How many.

        Returns:
            Rows, intp [min(k, len)], and scores, float32, descending; equal scores by ascending row.
        """
        k = min(k, self._count)
        best, least = np.zeros(0, np.int64), np.float32(-np.inf)
        for start in range(0, self._count if k > 0 else 0, BLOCK):
            block, used = self._blocks[start // BLOCK], min(BLOCK, self._count - start)
            products = self._products(block, used, vector)
            if not start:
                least = _floor(products, k)
            elif len(best) == k:
                least = _scores(best.max(keepdims=True))[0]
            places = (products >= least).nonzero()[0]
            found = _ranks(products[places], block.rows[places])
            best = np.concatenate((best, found)) if start else found
            if len(best) > k:
                best.partition(k - 1)
                best = best[:k]
        best.sort()
        return best & _ROW, _scores(best)

    def vectors_of(self, rows: Rows) -> Vectors:
        """The vectors of rooms that are there, float32 [n, width]."""
        vectors = np.empty((len(rows), self.width), np.float32)
        for block, places, here in self._places(rows):
            vectors[here] = block.vectors[places]
        return vectors

    def watched(self) -> tuple[list[Block], set[int]]:
        """What is there, for a reader in another thread, until `unwatch`.

        Returns:
            The filled part of each block: rows are copied, vectors are the memory that further changes go to; and the
            rows whose vector may since be another than the reader sees, which grow with each change.
        """
        self._changed = set()
        starts = range(0, self._count, BLOCK)
        filled = zip(self._blocks, (min(BLOCK, self._count - start) for start in starts), strict=False)
        return [Block(block.rows[:used].copy(), block.vectors[:used]) for block, used in filled], self._changed

    def unwatch(self) -> None:
        """Nobody follows the changes any more."""
        self._changed = None

    def _products(self, block: Block, used: int, vector: Vectors) -> Vectors:
        whole = -(-used // _LANES) * _LANES
        np.dot(block.vectors[:whole], vector, out=self._scores[:whole])
        return self._scores[:used]

    def _at(self, slot: int) -> tuple[Block, int]:
        return self._blocks[slot // BLOCK], slot % BLOCK

    def _places(self, rows: Rows) -> list[tuple[Block, Rows, Rows]]:
        """For each block that has some of the rows: itself, their places in it, and which of the rows they are."""
        slots = self._slots[rows]
        if len(slots) == 1 or len(self._blocks) == 1:
            return [(self._blocks[int(slots[0]) // BLOCK], slots % BLOCK, np.arange(len(slots)))] if len(slots) else []
        numbers = slots // BLOCK
        parts = ((number, np.flatnonzero(numbers == number)) for number in range(len(self._blocks)))
        return [(self._blocks[number], slots[here] % BLOCK, here) for number, here in parts if len(here)]

    def _reserve(self, row: int) -> None:
        held = len(self._slots)
        if row >= held:
            slots = np.full(max(row + 1, 2 * held), -1, np.intp)
            slots[:held] = self._slots
            self._slots = slots


def _floor(scores: Vectors, k: int) -> np.float32:
    """A number that at least k of the scores reach, and not many more as a rule.

    The k-th greatest of the maxima of disjoint groups: as many groups have a score that reaches it. With 2k groups that
    leaves some 1.4 k scores when they lie in no order, found in half the time that a partition of all of them takes.
    """
    in_group = len(scores) // (2 * k)
    if in_group < 2:
        return np.float32(-np.inf)
    groups = len(scores) // in_group
    maxima = scores[: in_group * groups].reshape(in_group, groups).max(axis=0)
    maxima.partition(groups - k)
    return maxima[groups - k]


def _ranks(scores: Vectors, rows: Rows) -> NDArray[np.int64]:
    """Numbers that ascend as scores descend and, of equal scores, as rows ascend, and that hold both; int64 [n].

    One column of whole numbers is sorted several times faster than two columns are.
    """
    falling = np.float32(0) - scores  # Of 0 and -0 it makes the same bits.
    ranks = _turned(falling.view(np.int32)).astype(np.int64)
    ranks <<= 32
    ranks |= rows
    return ranks


def _scores(ranks: NDArray[np.int64]) -> Vectors:
    """The scores of such numbers, float32 [n]."""
    return np.float32(0) - _turned((ranks >> 32).astype(np.int32)).view(np.float32)


def _turned(bits: NDArray[np.int32]) -> NDArray[np.int32]:
    """The bits of float32 as whole numbers in the same order, and back: as they are, those of negative ones descend."""
    turned = bits >> 31
    turned &= 0x7FFFFFFF
    turned ^= bits
    return turned
