"""Retention: what leaves the logs in time, the traces of users who were erased and what is too old to keep."""

import asyncio
import logging
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from feature_service.clock import NowMs
from feature_service.erasures import Erasure, Erasures
from feature_service.features.events import NO_ATTRIBUTES, Event
from feature_service.features.view import Context
from feature_service.log.codec import EVENTS
from feature_service.log.local import LocalLog
from feature_service.log.protocol import LogError
from feature_service.log.reader import segment_at
from feature_service.log.record_log import RecordLog
from feature_service.log.rewrite import remove, rewrite
from feature_service.served.log import ServedLog
from feature_service.served.slate import SLATES, ServedSlate
from feature_service.settings import RetentionSettings
from feature_service.stores.protocol import Store

EVERY_S = 3_600.0
"""An erased user's id and history have left the local logs three hours after the event, see `erasures.SETTLED_MS`."""

DAY_MS = 86_400_000

log = logging.getLogger(__name__)


class Retention:
    """Keeps the logs of a running service to what they may hold."""

    def __init__(
        self,
        settings: RetentionSettings,
        event_log: LocalLog | None,
        served: ServedLog | None,
        folders: tuple[Path, Path],
        store: Store,
        erasures: Erasures,
        now_ms: NowMs,
    ) -> None:
        """Takes over the logs of a service.

        Args:
            settings: What they keep.
            event_log: The event log; None for a Kafka topic, whose events nobody can exchange: it drops them in time.
            served: The served log, if one is written.
            folders: Of the event log and of the served log; the latter may hold what was written earlier.
            store: Holds what the event log need not keep.
            erasures: Who was erased.
            now_ms: The service's clock.
        """
        self._settings = settings
        self._event_log = event_log
        self._served = served
        self._event_folder, self._served_folder = folders
        self._store = store
        self._erasures = erasures
        self._now_ms = now_ms

    async def keep(self) -> None:
        """Enforces it every hour, until it is cancelled."""
        while True:
            try:
                await self.enforce()
            except (LogError, OSError) as error:
                log.error("the logs hold more than they should: %s", error)
            await asyncio.sleep(EVERY_S)

    async def enforce(self) -> None:
        """Enforces it once.

        Raises:
            LogError: A log cannot be read or written.
        """
        now_ms = self._now_ms()
        if due := self._erasures.due(now_ms):
            end = 0
            if self._event_log is not None:
                end = self._event_log.roll()
                await self._event_log.durable(end)
            await asyncio.to_thread(self._erase, due, end)
        await asyncio.to_thread(self._remove_old, now_ms)

    def _erase(self, due: list[Erasure], end: int) -> None:
        """Takes users out of both logs, up to the position at which each was erased."""
        until = {each.user_id: each.position for each in due}
        marks = [user_id.encode() for user_id in until]

        def event(position: int, held: Event) -> Event:
            return anonymous_event(held, position) if position < until.get(held.user_id, 0) else held

        def slate(_: int, held: ServedSlate) -> ServedSlate:
            return anonymous_slate(held) if held.log_position < until.get(held.user_id, 0) else held

        events = rewrite(self._event_folder, EVENTS, event, marks, end)
        slates = rewrite(self._served_folder, SLATES, slate, marks, self._served_end())
        self._erasures.done(due)
        log.info("erased %d users from %d events and %d served slates", len(due), events, slates)

    def _served_end(self) -> int:
        """Ends the last segment; of a log that nobody writes any more, too."""
        if self._served is not None:
            return self._served.roll()
        if not self._served_folder.is_dir():
            return 0
        with closing(RecordLog[ServedSlate].opened(self._served_folder, SLATES)) as unused:
            return unused.roll()

    def _remove_old(self, now_ms: int) -> None:
        if (days := self._settings.log_days) and self._event_log is not None:
            since = self._event_log.since(now_ms - round(days * DAY_MS))
            remove(self._event_folder, min(since, self._store.position))
        if days := self._settings.served_days:
            from_ms = now_ms - round(days * DAY_MS)
            remove(self._served_folder, segment_at(self._served_folder, SLATES, lambda each: each.served_ms, from_ms))


def anonymous_event(event: Event, position: int) -> Event:
    """The event at a position without who it was; what rooms and streamers count of it stays."""
    return event._replace(
        event_id=f"erased-{position}", user_id="", request_id="", device="", network="", attributes=NO_ATTRIBUTES
    )


def anonymous_slate(slate: ServedSlate) -> ServedSlate:
    """The slate without who it was for and what it showed."""
    return replace(
        slate, request_id="", user_id="", context=Context(), arm="", layout="", heads=(), rooms=(), tensors={}
    )
