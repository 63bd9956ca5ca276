"""Duplicates: an event id that comes again within an hour is dropped, in every driver by the same rule."""

from collections.abc import Iterable, Iterator

from feature_service.features.events import MAX_LATENESS_MS, Event


class Duplicates:
    """Remembers the ids received in the running hour and the one before."""

    def __init__(self, known: Iterable[tuple[int, str]] = ()) -> None:
        """Starts from ids that a checkpoint kept.

        Args:
            known: Received hour and event id, as `items` gave them.
        """
        self._hours: dict[int, set[str]] = {}
        for hour, event_id in known:
            self._hours.setdefault(hour, set()).add(event_id)

    def __contains__(self, event_id: object) -> bool:
        """Whether the id was received before."""
        for ids in self._hours.values():  # noqa: SIM110  Each event passes here, and a generator costs half as much again.
            if event_id in ids:
                return True
        return False

    def add(self, event: Event) -> None:
        """Remembers an event's id, at its `received_ms`."""
        hour = hour_of(event)
        if hour not in self._hours:
            self._hours[hour] = set()
            for old in [held for held in self._hours if held < hour - 1]:
                del self._hours[old]
        self._hours[hour].add(event.event_id)

    def items(self) -> Iterator[tuple[int, str]]:
        """Received hour and event id of all that is remembered."""
        return ((hour, event_id) for hour, ids in self._hours.items() for event_id in ids)


def hour_of(event: Event) -> int:
    """The hour in which an event was received, or happened when that is not known, since the Unix epoch."""
    return (event.received_ms or event.time_ms) // MAX_LATENESS_MS
