"""How a channel answers: its rooms in the order of their scores, ties by row."""

import numpy as np
from numpy.typing import NDArray

from feature_service.live.table import Rows
from feature_service.stages import Recalled


def nothing(channel: str) -> Recalled:
    """The answer of a channel whose data is missing, such as the history of a new user."""
    return Recalled(channel, np.zeros(0, np.intp), np.zeros(0, np.float32))


def best(channel: str, rows: Rows, scores: NDArray[np.float32], limit: int) -> Recalled:
    """The rooms with the highest scores.

    Args:
        channel: The channel's name.
        rows: Rows of rooms, [n], each once.
        scores: The channel's own scores, float32 [n], finite.
        limit: How many at most.
    """
    if len(rows) > limit > 0:
        least = np.partition(scores, len(rows) - limit)[len(rows) - limit]
        rows, scores = rows[scores >= least], scores[scores >= least]
    order = np.lexsort((rows, -scores))[:limit]
    return Recalled(channel, rows[order], scores[order])
