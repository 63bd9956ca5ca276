"""The served log, followed: in which hour which slates were served, and with which columns."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from feature_service.log.reader import RecordReader, read_records
from feature_service.log.segment import first_positions
from feature_service.served.slate import SLATES, ServedSlate
from training.data.hours import HOUR_MS
from training.data.served_impressions import SEEN_BEFORE_MS, SEEN_WITHIN_MS
from training.data.service_log import in_order

_EARLIER_MS = SEEN_WITHIN_MS + SEEN_BEFORE_MS
"""A slate this much earlier may have claimed an impression that one of the hour would claim too."""

_EARLIER_HOURS = -(-_EARLIER_MS // HOUR_MS)


@dataclass(slots=True)
class _Hour:
    """Where the slates of an hour lie in the log, and the layout of the last of them that has tensors, if any has."""

    first: int
    end: int
    layout: str = ""


class FollowedSlates:
    """An index of the newest hours; the slates themselves stay in the log."""

    def __init__(self, served: Path, position: int = 0, *, first_hour: int | None = None, layout: str = "") -> None:
        """Opens the log, which may still be empty.

        Args:
            served: Its folder.
            position: Where to begin, as `position` has said earlier.
            first_hour: The first hour that has slates with tensors, if it is known.
            layout: The layout of the hours before.
        """
        self._served = served
        self._reader = RecordReader(served, self._there(position), SLATES)
        self._position = position
        self._hours: dict[int, _Hour] = {}
        self._layout = layout
        self.first_hour = first_hour

    def catch_up(self) -> None:
        """Reads what has been written since the last call.

        Raises:
            LogError: A record is damaged.
        """
        for position, slate in self._reader.poll():
            self._position = position + 1
            hour = slate.served_ms // HOUR_MS
            held = self._hours.setdefault(hour, _Hour(position, position))
            held.end = position + 1
            if slate.tensors:
                held.layout = slate.layout
                self.first_hour = hour if self.first_hour is None else min(hour, self.first_hour)

    def end(self, hour: int) -> int:
        """The position behind the newest slate of an hour; 0 without one."""
        return self._hours[hour].end if hour in self._hours else 0

    def layout(self, hour: int) -> str:
        """Name of the columns of an hour: those of its newest slate, or of the nearest hour before."""
        known = [each for each in sorted(self._hours) if each <= hour and self._hours[each].layout]
        return self._hours[known[-1]].layout if known else self._layout

    def newest_layout(self) -> str:
        """Name of the columns of the newest hour."""
        return self.layout(max(self._hours, default=0))

    def read(self, hour: int) -> Iterator[ServedSlate]:
        """The slates of an hour, and before them those that may have claimed its impressions, by their clocks.

        Raises:
            LogError: A record is damaged.
        """
        from_ms, until_ms = hour * HOUR_MS - _EARLIER_MS, (hour + 1) * HOUR_MS
        near = [self._hours[each] for each in range(hour - _EARLIER_HOURS, hour + 1) if each in self._hours]
        if near:
            first, end = min(each.first for each in near), max(each.end for each in near)
            yield from in_order(self._between(first, end, from_ms, until_ms), lambda slate: slate.served_ms)

    def forget(self, before: int) -> None:
        """Lets go of what the hours from one on do not need."""
        self._layout = self.layout(before - 1)
        self._hours = {hour: held for hour, held in self._hours.items() if hour >= before - _EARLIER_HOURS}

    def position(self) -> int:
        """Where another one has to begin to know the same."""
        return min((held.first for held in self._hours.values()), default=self._position)

    def _between(self, first: int, end: int, from_ms: int, until_ms: int) -> Iterator[ServedSlate]:
        for position, slate in read_records(self._served, self._there(first), SLATES):
            if position >= end:
                return
            if from_ms <= slate.served_ms < until_ms:
                yield slate

    def _there(self, position: int) -> int:
        """The position, or the log's first if what was there has been removed."""
        return max([position, *first_positions(self._served)[:1]])
