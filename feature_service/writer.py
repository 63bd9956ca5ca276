"""The writer: takes reported events in. The log's only writer, and the only one that changes the state."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from feature_service.erasures import Erasures
from feature_service.features import attributes, events
from feature_service.features.catalog import Catalog
from feature_service.features.duplicates import Duplicates
from feature_service.features.events import Event, EventKind
from feature_service.features.schema import key_of
from feature_service.features.state import State
from feature_service.live.table import LiveTable
from feature_service.log.protocol import EventLog
from feature_service.stores.keeper import StateKeeper


class Acceptance(StrEnum):
    """What became of a reported event."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    LATE = "late"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one event, and why it was refused."""

    event_id: str
    acceptance: Acceptance
    reason: str = ""


class Writer:
    """Checks, logs and applies events; acknowledges them when they are durable."""

    def __init__(
        self,
        *,
        log: EventLog,
        state: State,
        live: LiveTable,
        keeper: StateKeeper,
        catalog: Catalog,
        duplicates: Duplicates,
        erasures: Erasures,
        lease_ms: int,
        content_width: int,
        room_changed: Callable[[int], None],
    ) -> None:
        """Takes over the log and the state.

        Args:
            log: The event log.
            state: Records and facts.
            live: The rooms on air.
            keeper: Loads and marks what an event touches.
            catalog: Knows the declared attributes.
            duplicates: The ids received lately.
            erasures: The users who have been erased.
            lease_ms: The lease of rooms whose events name none.
            content_width: Length of the rooms' content vectors.
            room_changed: Told the row of a room that started, changed or went off air.
        """
        self._log = log
        self._state = state
        self._live = live
        self._keeper = keeper
        self._catalog = catalog
        self._duplicates = duplicates
        self._erasures = erasures
        self._lease_ms = lease_ms
        self._content_width = content_width
        self._room_changed = room_changed

    async def report(self, reported: Sequence[Event], now_ms: int) -> list[Result]:
        """Takes events in.

        The state changes at once; the answer comes when all of them are durable.

        Args:
            reported: The events, each with its own fate.
            now_ms: The service's clock.

        Returns:
            One result an event, in their order.

        Raises:
            LogError: The log cannot be written; nothing of this report is acknowledged. Whoever reports it again gets
                `DUPLICATE` for what was taken in.
            StoreError: What an event touches cannot be read; likewise.
        """
        results = [self._take(event, now_ms) for event in reported]
        await self._log.durable(self._state.position)
        return results

    def follow(self, event: Event) -> None:
        """Applies an event that is in the log: one just appended, or one read again after a restart."""
        self._keeper.prepare(event)
        self._state.apply(event)
        self._state.position += 1
        if event.kind is EventKind.USER_ERASED:
            self._erasures.add(event, self._state.position)
        self._keeper.touched(event)
        row = self._live.learn(event)
        if row is not None:
            self._room_changed(row)

    def restore(self, now_ms: int) -> int:
        """Reads again what the log holds beyond the checkpoint, and the ids of the last hour.

        Args:
            now_ms: The service's clock.

        Returns:
            How many events were applied.
        """
        before = self._state.position
        start = min(self._log.since(now_ms - 2 * events.MAX_LATENESS_MS), before)
        for position, event in self._log.read(start):
            self._duplicates.add(event)
            if position >= before:
                self.follow(event)
        return self._state.position - before

    def _take(self, reported: Event, now_ms: int) -> Result:
        event = self._state.facts.complete(reported, self._lease_ms)._replace(received_ms=now_ms)
        reason = self._problem(event, now_ms)
        if reason:
            return Result(event.event_id, Acceptance.REFUSED, reason)
        if event in self._duplicates:
            return Result(event.event_id, Acceptance.DUPLICATE)
        self._log.append([event])
        self._duplicates.add(event)
        self.follow(event)
        return Result(event.event_id, Acceptance.LATE if events.is_late(event) else Acceptance.ACCEPTED)

    def _problem(self, event: Event, now_ms: int) -> str | None:
        found = events.problem(event, now_ms) or attributes.problem(event, self._catalog.attributes)
        if found:
            return found
        if event.content and len(event.content) != self._content_width:
            return f"content: expected {self._content_width} numbers, received {len(event.content)}"
        if event.kind is not EventKind.USER_ERASED and self._is_erased(event):
            return f"user_id: expected nothing from before {event.user_id!r} was erased, received {event.time_ms}"
        self._keeper.prepare(event)
        return self._state.facts.collision(event)

    def _is_erased(self, event: Event) -> bool:
        return bool(event.user_id) and event.time_ms <= self._erasures.until_ms(key_of("user", event.user_id))
