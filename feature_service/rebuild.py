"""Rebuild: makes the store again from the log, or fills in what a new feature asks the records to remember."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from feature_service.features import decay
from feature_service.features.catalog import Catalog
from feature_service.features.records import Table
from feature_service.features.reducers import Entity
from feature_service.features.state import State
from feature_service.log.opening import LOG_FOLDER, claim_log, open_log
from feature_service.log.protocol import LogError
from feature_service.settings import Settings
from feature_service.stores.keeper import StateKeeper
from feature_service.stores.opening import open_store, renewed_store
from feature_service.stores.protocol import Store
from feature_service.stores.refill import CHECKPOINT_EVERY, refill

OnProgress = Callable[[int], None]


def rebuild(data: Path, settings: Settings, catalog: Catalog, on_progress: OnProgress) -> int:
    """Makes a new store from the whole log; a file is kept until the new one is complete.

    Args:
        data: The service's data folder; no service may run on it.
        settings: Where its log and its store are.
        catalog: Decides what the records remember.
        on_progress: Is called with the number of events read.

    Returns:
        The position that the store includes.

    Raises:
        LogError: The log is another process's, damaged, or does not begin at position 0.
        StoreError: The store cannot be written.
    """
    claim_log(settings.log, data)
    event_log = open_log(settings.log, data, 0)
    try:
        first = event_log.since(0)
        if first:
            raise LogError(
                f"{settings.log.address or data / LOG_FOLDER}: expected a log from position 0, received one from "
                f"{first}: what was before is in the store alone; seed the folder again, or use --since"
            )
        state = State(catalog.memories)
        with renewed_store(settings.store, data, state.dtypes) as store:
            refill(store, state, event_log.read(0), event_log.position, on_progress)
        return state.position
    finally:
        event_log.close()


def backfill(data: Path, settings: Settings, catalog: Catalog, since: int, on_progress: OnProgress) -> int:
    """Fills in fields of the records that the store holds as zero, from the log.

    A new counter starts at zero when the service first runs with it. The events from `since` on are counted beside the
    store, and what the store lacks is taken over.

    Args:
        data: The service's data folder; no service may run on it.
        settings: Where its log and its store are.
        catalog: With the new feature.
        since: The log position to count from.
        on_progress: Is called with the number of events read.

    Returns:
        The number of records that changed.

    Raises:
        LogError: The log is another process's, or damaged, or begins later.
        StoreError: The store cannot be read or written.
    """
    claim_log(settings.log, data)
    event_log = open_log(settings.log, data, 0)
    store = None
    try:
        counted = State(catalog.memories)
        store = open_store(settings.store, data, counted.dtypes)
        end = store.position
        for position, event in event_log.read(since):
            if position >= end:
                break
            counted.apply(event)
            if position % CHECKPOINT_EVERY == 0:
                on_progress(position - since)
        return _take_over(counted, store, catalog)
    finally:
        if store is not None:
            store.close()
        event_log.close()


def fill(held: NDArray[np.void], counted: NDArray[np.void], entity: Entity) -> NDArray[np.void]:
    """Records with the fields that are zero in `held` taken from `counted`.

    Args:
        held: Of the store, [n].
        counted: Of the same keys, from the log, [n].
        entity: Whose records.

    Returns:
        The filled records, [n]; a decayed sum is taken only where both slots hold the same epoch.
    """
    filled = held.copy()
    epochs, sums = decay.epochs_field(entity), decay.sums_field(entity)
    names = filled.dtype.names or ()
    if epochs in names:
        filled[epochs] = np.where(held[epochs] == 0, counted[epochs], held[epochs])
    for name in names:
        if name == epochs:
            continue
        if name.startswith(f"{sums}."):
            lacks = (held[name] == 0) & (filled[epochs] == counted[epochs])
        else:
            zero = held[name] == 0
            lacks = zero if zero.ndim == 1 else zero.all(axis=tuple(range(1, zero.ndim)), keepdims=True)
        filled[name] = np.where(lacks, counted[name], held[name])
    return filled


def _take_over(counted: State, store: Store, catalog: Catalog) -> int:
    """Merges what was counted into the stored records, through a state that holds them."""
    state = State(catalog.memories)
    keeper = StateKeeper(state, store, max_users=len(counted.users) + 1, max_streamers=len(counted.streamers) + 1)
    keeper.restore()
    changed = 0
    for key in counted.streamers:
        keeper.ensure_streamer(key)
    changed += _merge(state.streamers, counted.streamers, Entity.STREAMER)
    changed += _merge(state.rooms, counted.rooms, Entity.ROOM)
    for key in counted.users:
        keeper.ensure_user(key)
        if key in counted.pairs:
            changed += _merge(state.pairs_of(key), counted.pairs[key], Entity.PAIR)
    changed += _merge(state.users, counted.users, Entity.USER)
    keeper.touch_all()
    store.checkpoint(keeper.collect(store.position))
    return changed


def _merge(held: Table, counted: Table, entity: Entity) -> int:
    """Fills the records of the keys that both have; returns how many changed."""
    records = {int(record["key"]): record for record in counted.all()}
    ours = held.all()
    ours = ours[[int(key) in records for key in ours["key"]]]
    if not len(ours):
        return 0
    theirs = np.array([records[int(key)] for key in ours["key"]], ours.dtype)
    filled = fill(ours, theirs, entity)
    differs = filled != ours
    held.put(filled[differs])
    return int(differs.sum())
