"""The served log, followed: in which hour which slates were served, and with which columns."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from feature_service.log.reader import RecordReader, read_records
from feature_service.log.segment import first_positions
from feature_service.served.slate import SLATES, STAMPS, ServedSlate
from training.data.hours import HOUR_MS
from training.data.served_impressions import EARLIER_MS
from training.data.service_log import in_order

_SPAN_MS = 600_000
_SPANS = HOUR_MS // _SPAN_MS
_EARLIER_SPANS = EARLIER_MS // _SPAN_MS


@dataclass(slots=True)
class _Span:
    """Where the slates of ten minutes lie in the log, and the layout of the last one with tensors, if there is one."""

    first: int
    end: int
    layout: str = ""


class FollowedSlates:
    """An index of the newest hours, by spans of ten minutes; the slates themselves stay in the log."""

    def __init__(self, served: Path, position: int = 0, *, first_hour: int | None = None, layout: str = "") -> None:
        """Opens the log, which may still be empty.

        Args:
            served: Its folder.
            position: Where to begin, as `position` has said earlier.
            first_hour: The first hour that has slates with tensors, if it is known.
            layout: The layout of the hours before.
        """
        self._served = served
        self._reader = RecordReader(served, self._there(position), STAMPS)
        self._position = position
        self._spans: dict[int, _Span] = {}
        self._layout = layout
        self.first_hour = first_hour

    def catch_up(self) -> None:
        """Reads what has been written since the last call.

        Raises:
            LogError: A record is damaged.
        """
        for position, stamp in self._reader.poll():
            self._position = position + 1
            span = stamp.served_ms // _SPAN_MS
            held = self._spans.setdefault(span, _Span(position, position))
            held.end = position + 1
            if stamp.layout:
                held.layout = stamp.layout
                hour = span // _SPANS
                self.first_hour = hour if self.first_hour is None else min(hour, self.first_hour)

    def end(self, hour: int) -> int:
        """The position behind the newest slate of an hour; 0 without one."""
        return max((held.end for held in self._within(hour * _SPANS, hour)), default=0)

    def layout(self, hour: int) -> str:
        """Name of the columns of an hour: those of its newest slate, or of the nearest hour before."""
        known = [span for span in self._spans if span < (hour + 1) * _SPANS and self._spans[span].layout]
        return self._spans[max(known)].layout if known else self._layout

    def newest_layout(self) -> str:
        """Name of the columns of the newest hour."""
        return self.layout(max(self._spans, default=0) // _SPANS)

    def read(self, hour: int) -> Iterator[ServedSlate]:
        """The slates of an hour, and before them those that may have claimed its impressions, by their clocks.

        Raises:
            LogError: A record is damaged.
        """
        from_ms, until_ms = hour * HOUR_MS - EARLIER_MS, (hour + 1) * HOUR_MS
        near = self._within(hour * _SPANS - _EARLIER_SPANS, hour)
        if near:
            first, end = min(each.first for each in near), max(each.end for each in near)
            yield from in_order(self._between(first, end, from_ms, until_ms), lambda slate: slate.served_ms)

    def forget(self, before: int) -> None:
        """Lets go of what the hours from one on do not need."""
        self._layout = self.layout(before - 1)
        first = before * _SPANS - _EARLIER_SPANS
        self._spans = {span: held for span, held in self._spans.items() if span >= first}

    def position(self) -> int:
        """Where another one has to begin to know the same."""
        return min((held.first for held in self._spans.values()), default=self._position)

    def _within(self, first: int, hour: int) -> list[_Span]:
        """The spans from one on up to the end of an hour."""
        return [self._spans[span] for span in range(first, (hour + 1) * _SPANS) if span in self._spans]

    def _between(self, first: int, end: int, from_ms: int, until_ms: int) -> Iterator[ServedSlate]:
        for position, slate in read_records(self._served, self._there(first), SLATES):
            if position >= end:
                return
            if from_ms <= slate.served_ms < until_ms:
                yield slate

    def _there(self, position: int) -> int:
        """The position, or the log's first if what was there has been removed."""
        return max([position, *first_positions(self._served)[:1]])
