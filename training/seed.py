"""Seed: what an event log has left, as the data folder of a feature service.

The service then starts with the records, facts and live rooms of that history (`serve --as-of log` takes its clock
from it too). All but the log's last two hours go into the store; these are written to the service's own log, so that it
knows the event ids of late repeats.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from feature_service.boot import LOG_FOLDER
from feature_service.features.catalog import Catalog
from feature_service.features.events import MAX_LATENESS_MS, Event
from feature_service.features.state import State
from feature_service.live.table import LiveTable
from feature_service.log.local import LocalLog
from feature_service.settings import load
from feature_service.stores.keeper import StateKeeper
from feature_service.stores.opening import STORE_FILE, open_store
from feature_service.stores.protocol import Store
from feature_service.stores.settings import StoreSettings
from training.data.errors import DataError
from training.data.requests import once
from training.data.sources import read_log

TAIL_MS = 2 * MAX_LATENESS_MS
REPORT_EVERY = 5_000
CHECKPOINT_EVERY = 200_000
"""Events between two checkpoints: bounds the memory of what has changed, and of rooms that have ended."""


@dataclass(frozen=True, slots=True)
class Seeded:
    """What went into the folder.

    Attributes:
        position: Events in the store, and so the position at which the service's log starts.
        tail: Events in the service's log.
    """

    position: int
    tail: int


def seed(
    log: str | Path,
    last_ms: int,
    data: Path,
    catalog: Catalog,
    on_progress: Callable[[int], None] | None = None,
    place: StoreSettings | None = None,
) -> Seeded:
    """Writes a service's data folder from an event log.

    Args:
        log: URI of the event log.
        last_ms: Time of its last event, Unix milliseconds.
        data: The folder; must hold no service data yet.
        catalog: Decides what the records remember.
        on_progress: Is called now and then with the number of events read.
        place: Where the service's store is; None = the default, a file of the folder.

    Raises:
        DataError: The folder or the store holds service data already, or the log is not readable.
        StoreError: The store cannot be written.
        LogError: The service's log cannot be written.
    """
    if (data / STORE_FILE).exists() or (data / LOG_FOLDER).exists():
        raise DataError(f"{data}: expected a folder without service data, found some")
    data.mkdir(parents=True, exist_ok=True)
    state = State(catalog.memories)
    store = open_store(place or load().store, data, state.dtypes)
    try:
        if store.position:
            raise DataError(f"{data}: expected an empty store, received one at position {store.position}")
        keeper = StateKeeper(state, store)
        keeper.restore()
        events = _counted(once(read_log(log)), on_progress)
        first_of_tail = _apply_until(events, last_ms - TAIL_MS, state, keeper, store)
        _checkpoint(state, keeper, store)
    finally:
        store.close()
    return Seeded(state.position, _write_tail(data / LOG_FOLDER, state.position, first_of_tail, events))


def _apply_until(
    events: Iterator[Event], tail_ms: int, state: State, keeper: StateKeeper, store: Store
) -> Event | None:
    """Applies what was received before `tail_ms`; returns the first event after it."""
    live = LiveTable(state)
    for event in events:
        if (event.received_ms or event.time_ms) >= tail_ms:
            return event
        event = state.facts.complete(event, 0)
        keeper.prepare(event)
        state.apply(event)
        state.position += 1
        keeper.touched(event)
        live.learn(event)
        if state.position % CHECKPOINT_EVERY == 0:
            deque(live.sweep(event.time_ms), maxlen=0)
            _checkpoint(state, keeper, store)
    return None


def _checkpoint(state: State, keeper: StateKeeper, store: Store) -> None:
    store.checkpoint(keeper.collect(state.position))
    keeper.committed()


def _write_tail(folder: Path, base: int, first: Event | None, events: Iterator[Event]) -> int:
    log = LocalLog.open(folder, base=base)
    try:
        batch = [] if first is None else [_received(first)]
        for event in events:
            batch.append(_received(event))
            if len(batch) == REPORT_EVERY:
                log.append(batch)
                batch = []
        log.append(batch)
        log.sync()
        return log.position - base
    finally:
        log.close()


def _received(event: Event) -> Event:
    return event if event.received_ms else event._replace(received_ms=event.time_ms)


def _counted(events: Iterator[Event], on_progress: Callable[[int], None] | None) -> Iterator[Event]:
    for number, event in enumerate(events):
        if on_progress is not None and number % REPORT_EVERY == 0:
            on_progress(number)
        yield event
