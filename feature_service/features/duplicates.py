"""Duplicates: an event id that comes again within an hour is dropped, in every driver by the same rule."""

from feature_service.features.events import MAX_LATENESS_MS, Event


class Duplicates:
    """Remembers the ids received in the running hour and the one before."""

    def __init__(self) -> None:
        self._hours: dict[int, set[str]] = {}

    def __contains__(self, event: Event) -> bool:
        """Whether an event's id was received in the event's hour, or in one beside it."""
        hour, hours = hour_of(event), self._hours
        # Each event passes here, and a generator costs half as much again.
        for near in (hour, hour - 1, hour + 1):  # noqa: SIM110
            if near in hours and event.event_id in hours[near]:
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


def hour_of(event: Event) -> int:
    """The hour in which an event was received, or happened when that is not known, since the Unix epoch."""
    return (event.received_ms or event.time_ms) // MAX_LATENESS_MS
