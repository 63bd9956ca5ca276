"""Features of chosen rooms at chosen moments of a log, computed as the service would have."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from feature_service.features.catalog import Catalog
from feature_service.features.duplicates import Duplicates
from feature_service.features.layout import Layout
from feature_service.features.room import DEFAULT_LEASE_MS
from feature_service.features.state import State
from feature_service.features.tensors import TensorBuilder, Tensors
from feature_service.features.view import Context
from training.data.captured import CapturedRequests
from training.data.sources import order_ms, read_log

_BLOCK = 64
_EVENTS_PER_REPORT = 5_000


@dataclass(frozen=True, slots=True)
class Moment:
    """A viewer, and rooms to describe to a ranker.

    Attributes:
        time_ms: The clock; no event of that time or later is known.
        user: User key.
        rooms: Room keys, int64 [n]; an unknown one (0) leaves the room's own features empty.
        streamers: Their streamers' keys, int64 [n].
    """

    time_ms: int
    user: int
    rooms: NDArray[np.int64]
    streamers: NDArray[np.int64]


def features_at(
    log: str,
    catalog: Catalog,
    layout: Layout,
    moments: Sequence[Moment],
    on_count: Callable[[int], None] = lambda _: None,
) -> Tensors:
    """The packed tensors of all moments: user tensors with a row a moment, candidate tensors with one a room.

    Args:
        log: URI of the event log.
        catalog: The features.
        layout: The columns.
        moments: In order of time.
        on_count: Is called from time to time with the number of events so far.

    Raises:
        DataError: The log is not readable.
    """
    reader = _Reader(catalog, layout)
    duplicates = Duplicates()
    waiting = iter(moments)
    moment = next(waiting, None)
    for count, event in enumerate(read_log(log)):
        while moment is not None and moment.time_ms <= order_ms(event):
            reader.capture(moment)
            moment = next(waiting, None)
        if moment is None:
            break
        if event not in duplicates:
            duplicates.add(event)
            reader.state.apply(reader.state.facts.complete(event, DEFAULT_LEASE_MS))
        if count % _EVENTS_PER_REPORT == 0:
            on_count(count)
    while moment is not None:
        reader.capture(moment)
        moment = next(waiting, None)
    return reader.take()


class _Reader:
    """Copies records at moments, and builds tensors of a block of them at a time."""

    def __init__(self, catalog: Catalog, layout: Layout) -> None:
        self.state = State(catalog.memories)
        self._builder = TensorBuilder(catalog, layout)
        self._captured = CapturedRequests(self.state)
        self._blocks: list[Tensors] = []

    def capture(self, moment: Moment) -> None:
        rows = self.state.rooms.find_all(moment.rooms)
        streamer_rows = self.state.streamers.find_all(moment.streamers)
        self._captured.add(moment.user, rows, streamer_rows, Context(), moment.time_ms)
        if len(self._captured) == _BLOCK:
            self._blocks.append(self._builder.build(self._captured.take()))

    def take(self) -> Tensors:
        if len(self._captured):
            self._blocks.append(self._builder.build(self._captured.take()))
        return {name: np.concatenate([block[name] for block in self._blocks]) for name in self._blocks[0]}
