"""How alike two rooms are: the same streamer, the same category, similar content."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from feature_service.features.state import State
from feature_service.live.table import Rows

CATEGORY_SHARE = 0.5
"""What the same category counts; the rest is the cosine of the content vectors."""


@dataclass(frozen=True, slots=True)
class Similarity:
    """What some rooms can be compared by; a key of 0 and a vector of zeros are unknown, and like no other.

    Attributes:
        streamers: Keys of the streamers, int64 [n].
        categories: Keys of the categories, int64 [n].
        content: Content vectors of length 1, float32 [n, width]; width 0 where the platform has none.
    """

    streamers: NDArray[np.int64]
    categories: NDArray[np.int64]
    content: NDArray[np.float32]

    def matrix(self) -> NDArray[np.float32]:
        """How alike each two rooms are, float32 [n, n], 0 to 1.

        1 for the same streamer, else 0.5 · same category + 0.5 · max(0, cosine of the content vectors).
        """
        # Not `@`: BLAS would share this between threads, which on a busy machine waits for milliseconds.
        values = np.einsum("nd,md->nm", self.content, self.content)
        np.maximum(values, 0, out=values)
        values *= 1 - CATEGORY_SHARE
        values[_same(self.categories)] += CATEGORY_SHARE
        values[_same(self.streamers)] = 1
        return values

    def word(self, one: int, other: int) -> str:
        """What two rooms have most in common: "same streamer", "same category" or "similar content"."""
        if self.streamers[one] == self.streamers[other] != 0:
            return "same streamer"
        return "same category" if self.categories[one] == self.categories[other] != 0 else "similar content"


def similarity(state: State, rows: Rows) -> Similarity:
    """What rooms can be compared by.

    Args:
        state: The records.
        rows: Rows of rooms, [n].
    """
    rooms = state.rooms.fields
    vectors = rooms["content"][rows] if "content" in rooms else np.zeros((len(rows), 0), np.float32)
    lengths = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))
    units = vectors / np.maximum(lengths, np.float32(1e-12))[:, None]
    return Similarity(rooms["streamer"][rows], rooms["category"][rows], units)


def _same(keys: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Where two keys are equal and known, bool [n, n]."""
    return (keys[:, None] == keys) & (keys != 0)
