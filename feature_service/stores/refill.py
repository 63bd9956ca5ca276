"""Refill: brings a store up to a position of the log, from wherever it stands."""

from collections import deque
from collections.abc import Callable, Iterator

from feature_service.features.events import Event
from feature_service.features.state import State
from feature_service.live.table import LiveTable
from feature_service.stores.keeper import StateKeeper
from feature_service.stores.protocol import Store

CHECKPOINT_EVERY = 200_000
"""Events between two checkpoints: bounds the memory of what has changed, and of rooms that have ended."""


def refill(
    store: Store, state: State, events: Iterator[tuple[int, Event]], until: int, on_progress: Callable[[int], None]
) -> None:
    """Applies the events from the store's position on, and checkpoints them.

    Args:
        store: To be filled.
        state: An empty one.
        events: The log's from the store's position on, each with its position.
        until: The position at which to end.
        on_progress: Is called with the position before each checkpoint; what it raises ends the work.

    Raises:
        LogError: The log cannot be read.
        StoreError: The store cannot be read or written.
    """
    keeper = StateKeeper(state, store)
    state.position = keeper.restore()
    live = LiveTable(state)

    def checkpoint(now_ms: int) -> None:
        on_progress(state.position)
        deque(live.sweep(now_ms), maxlen=0)
        store.checkpoint(keeper.collect(state.position))
        keeper.committed()

    now_ms = 0
    for position, event in events:
        if position >= until:
            break
        keeper.prepare(event)
        state.apply(event)
        state.position += 1
        keeper.touched(event)
        live.learn(event)
        now_ms = max(now_ms, event.received_ms or event.time_ms)
        if state.position % CHECKPOINT_EVERY == 0:
            checkpoint(now_ms)
    checkpoint(now_ms)
