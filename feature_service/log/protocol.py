"""The protocol of event logs: an ordered, durable list of events with one writer."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from feature_service.features.events import Event


class LogError(RuntimeError):
    """A log that cannot be opened, read or written: names the file, what was expected and received."""


class LogEndedError(LogError):
    """A log that takes nothing more. Only a process that opens it again knows what of the last events is in it."""


class EventLog(Protocol):
    """An event's position is the number of events before it, so it counts from 0 or from the base of the log.

    The writer appends, applies the events to its state in the log's order, and acknowledges them once they are durable.
    """

    @property
    def position(self) -> int:
        """The position after the last event."""
        ...

    def append(self, events: Sequence[Event], /) -> int:
        """Writes events behind the others, all or none; they are not durable yet.

        Returns:
            The position after them, for `durable`.

        Raises:
            LogError: They could not be written; nothing of them stays in the log.
        """
        ...

    async def durable(self, position: int) -> None:
        """Waits until every event before a position would survive a loss of power; many waiters share one sync.

        Raises:
            LogError: The sync failed. What was not acknowledged by then may be lost, and the log refuses more events.
        """
        ...

    def read(self, position: int) -> Iterator[tuple[int, Event]]:
        """The events from a position to the end as it is now, each with its own position.

        Raises:
            LogError: The position is not in the log, or a record is damaged.
        """
        ...

    def since(self, received_ms: int) -> int:
        """A position at or before the first event that was received then or later (Unix milliseconds)."""
        ...

    def close(self) -> None:
        """Makes durable what is written, and lets go of the log."""
        ...
