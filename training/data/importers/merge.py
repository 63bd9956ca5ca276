"""Columns of different kinds of event, merged into one stream in order of time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from feature_service.features.events import Event
from training.data.importers.tables import Ints

_CHUNK = 65_536


@dataclass(frozen=True, slots=True)
class Block:
    """Events of one kind.

    Attributes:
        time_ms: int64 [N], when they happened, in any order.
        event: Makes the event of a row; called once a row, in order of time.
    """

    time_ms: Ints
    event: Callable[[int], Event]


def merge(blocks: Sequence[Block]) -> Iterator[Event]:
    """Yields the events of all blocks in order of time.

    Args:
        blocks: Of events at the same time, those of an earlier block come first, then those of an earlier row.
    """
    sizes = [len(block.time_ms) for block in blocks]
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    order = np.argsort(np.concatenate([block.time_ms for block in blocks]), kind="stable")
    makers = [block.event for block in blocks]
    for begin in range(0, len(order), _CHUNK):
        chunk = order[begin : begin + _CHUNK]
        which = np.searchsorted(starts, chunk, side="right") - 1
        for block, row in zip(which.tolist(), (chunk - starts[which]).tolist(), strict=True):
            yield makers[block](row)
