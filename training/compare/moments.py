"""Moments of a log: its events applied up to each, so that channels and features can be asked as they were then."""

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
from feature_service.live.table import LiveTable
from training.data.captured import CapturedRequests
from training.data.sources import order_ms, read_log

_BLOCK = 64
_SWEEP_MS = 600_000

AtMoment = Callable[[int, State, LiveTable], None]
"""Takes a moment's number, and state and rooms on air as they are then."""


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


def at_moments(log: str, catalog: Catalog, times_ms: Sequence[int], visit: AtMoment) -> None:
    """Applies a log's events in order, and stops at moments: before the first event that is not earlier.

    Args:
        log: URI of the event log.
        catalog: Says what the state remembers.
        times_ms: The moments, ascending.
        visit: Is called once a moment.

    Raises:
        DataError: The log is not readable.
    """
    state = State(catalog.memories)
    live = LiveTable(state)
    duplicates = Duplicates()
    number, swept_ms = 0, 0
    for event in read_log(log):
        while number < len(times_ms) and times_ms[number] <= order_ms(event):
            visit(number, state, live)
            number += 1
        if number == len(times_ms):
            return
        if event in duplicates:
            continue
        duplicates.add(event)
        event = state.facts.complete(event, DEFAULT_LEASE_MS)
        state.apply(event)
        live.learn(event)
        if event.time_ms >= swept_ms + _SWEEP_MS:
            swept_ms = event.time_ms
            for _ in live.sweep(swept_ms):
                pass
    for left in range(number, len(times_ms)):
        visit(left, state, live)


def features_at(log: str, catalog: Catalog, layout: Layout, moments: Sequence[Moment]) -> Tensors:
    """The packed tensors of all moments: user tensors with a row a moment, candidate tensors with one a room.

    Args:
        log: URI of the event log.
        catalog: The features.
        layout: The columns.
        moments: In order of time; at least one.

    Raises:
        DataError: The log is not readable.
    """
    builder = TensorBuilder(catalog, layout)
    blocks: list[Tensors] = []
    captured: list[CapturedRequests] = []

    def capture(number: int, state: State, _live: LiveTable) -> None:
        if not captured:
            captured.append(CapturedRequests(state))
        moment, requests = moments[number], captured[0]
        rows, streamer_rows = state.rooms.find_all(moment.rooms), state.streamers.find_all(moment.streamers)
        requests.add(moment.user, rows, streamer_rows, Context(), moment.time_ms)
        if len(requests) == _BLOCK or number == len(moments) - 1:
            blocks.append(builder.build(requests.take()))

    at_moments(log, catalog, [moment.time_ms for moment in moments], capture)
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
