"""Checkpoints: writes what has changed to the store in time, and fills a store again that has lost what it held."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from contextlib import closing
from itertools import takewhile

from feature_service.features.state import State
from feature_service.log.protocol import EventLog, LogEndedError, LogError
from feature_service.service import FeatureService
from feature_service.stores.keeper import StateKeeper
from feature_service.stores.protocol import Store, StoreError, StoreLostError
from feature_service.stores.refill import refill

log = logging.getLogger(__name__)


class Checkpoints:
    """The checkpoints of a running service. What a checkpoint that fails held is part of the next one."""

    def __init__(
        self,
        service: FeatureService,
        keeper: StateKeeper,
        event_log: EventLog,
        store: Store,
        open_store: Callable[[], Store],
    ) -> None:
        """Takes over a service whose state is restored.

        Args:
            service: The service.
            keeper: Knows what has changed.
            event_log: Its log.
            store: Its store.
            open_store: Opens that store once more, for the work of another thread.
        """
        self._service = service
        self._keeper = keeper
        self._log = event_log
        self._store = store
        self._open_store = open_store

    async def keep_taking(self, every_s: float, log_ended: Callable[[LogEndedError], None]) -> None:
        """Takes one every so many seconds, until it is cancelled or the log has ended, which it tells."""
        while True:
            await asyncio.sleep(every_s)
            try:
                await self.take()
            except StoreLostError as error:
                log.warning("the store is filled again from the log: %s", error)
                await self._refill()
            except LogEndedError as error:
                log_ended(error)
                return
            except (LogError, StoreError) as error:
                log.warning("the checkpoint waits: %s", error)

    async def take(self) -> None:
        """Writes the changed records with the position that they include, once the log is durable up to there.

        Raises:
            StoreError: The store cannot be written.
            StoreLostError: It has lost what it held.
            LogError: The log cannot be synced.
        """
        keeper, position = self._keeper, self._service.state.position
        changes = keeper.collect(position)
        try:
            await self._log.durable(position)
            await asyncio.to_thread(self._store.checkpoint, changes)
        except BaseException:
            keeper.failed()
            raise
        keeper.committed()
        if self._service.observer is not None:
            self._service.observer.checkpointed(position, time.time())

    async def _refill(self) -> None:
        """Brings the store up to the present from where it stands; what changes meanwhile is the next checkpoint's."""
        position, stopped = self._service.state.position, threading.Event()
        try:
            await self._log.durable(position)
            rooms = await asyncio.to_thread(self._fill, position, stopped)
        except (LogError, StoreError) as error:
            log.error("the store cannot be filled again from the log: %s", error)
            return
        finally:
            stopped.set()
        self._keeper.refilled(rooms)
        log.info("the store is filled again up to position %d", position)

    def _fill(self, position: int, stopped: threading.Event) -> set[int]:
        """Fills the store, or as much of it as there is time for; returns the rooms that it then holds."""
        state = State(self._service.catalog.memories)
        with closing(self._open_store()) as store:
            events = takewhile(lambda _: not stopped.is_set(), self._log.read(store.position))
            refill(store, state, events, position, lambda done: log.info("%d of %d events", done, position))
        return set(state.rooms)
