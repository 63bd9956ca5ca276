"""Retention: what leaves the logs in time, the traces of users who were erased and what is too old to keep."""

import asyncio
import logging
from pathlib import Path

from feature_service.clock import NowMs
from feature_service.erasures import Erasure, Erasures
from feature_service.features.events import NO_ATTRIBUTES, Event
from feature_service.log.codec import EVENTS
from feature_service.log.local import LocalLog
from feature_service.log.protocol import LogError
from feature_service.log.rewrite import remove, rewrite
from feature_service.served.retention import DAY_MS, ServedRetention
from feature_service.settings import RetentionSettings
from feature_service.stores.protocol import Store, StoreError

EVERY_S = 3_600.0
"""An erased user's id and history have left the local logs three hours after the event, see `erasures.SETTLED_MS`."""

log = logging.getLogger(__name__)


class Retention:
    """Keeps the logs of a running service to what they may hold."""

    def __init__(
        self,
        settings: RetentionSettings,
        event_log: LocalLog | None,
        event_folder: Path,
        served: ServedRetention,
        store: Store,
        erasures: Erasures,
        now_ms: NowMs,
    ) -> None:
        """Takes over the logs of a service.

        Args:
            settings: What they keep.
            event_log: The event log; None for a Kafka topic, whose events nobody can exchange: it drops them in time.
            event_folder: Its folder.
            served: Keeps the served log.
            store: Holds what the event log need not keep, and tells its followers who was erased.
            erasures: Who was erased.
            now_ms: The service's clock.
        """
        self._settings = settings
        self._event_log = event_log
        self._event_folder = event_folder
        self._served = served
        self._store = store
        self._erasures = erasures
        self._now_ms = now_ms

    async def keep(self) -> None:
        """Enforces it every hour, until it is cancelled."""
        while True:
            try:
                await self.enforce()
            except (LogError, StoreError, OSError) as error:
                log.error("the logs hold more than they should: %s", error)
            await asyncio.sleep(EVERY_S)

    async def enforce(self) -> None:
        """Enforces it once.

        Raises:
            LogError: A log cannot be read or written.
            StoreError: The store cannot be read or written.
        """
        now_ms = self._now_ms()
        if due := self._erasures.due(now_ms):
            end = 0
            if self._event_log is not None:
                end = self._event_log.roll()
                await self._event_log.durable(end)
            await asyncio.to_thread(self._erase, due, end)
        await asyncio.to_thread(self._remove_old, now_ms)
        await asyncio.to_thread(self._store.tell_erased, self._erasures.known)

    def _erase(self, due: list[Erasure], end: int) -> None:
        """Takes users out of both logs, up to the position at which each was erased."""
        until = {each.user_id: each.position for each in due}
        marks = [user_id.encode() for user_id in until]

        def event(position: int, held: Event) -> Event:
            return anonymous_event(held, position) if position < until.get(held.user_id, 0) else held

        events = rewrite(self._event_folder, EVENTS, event, marks, end)
        slates = self._served.erase({each.key: each.position for each in due}, marks)
        self._erasures.done(due)
        log.info("erased %d users from %d events and %d served slates", len(due), events, slates)

    def _remove_old(self, now_ms: int) -> None:
        if (days := self._settings.log_days) and self._event_log is not None:
            since = self._event_log.since(now_ms - round(days * DAY_MS))
            remove(self._event_folder, min(since, self._store.position))
        self._served.remove_old(now_ms)


def anonymous_event(event: Event, position: int) -> Event:
    """The event at a position without who it was; what rooms and streamers count of it stays."""
    return event._replace(
        event_id=f"erased-{position}", user_id="", request_id="", device="", network="", attributes=NO_ATTRIBUTES
    )
