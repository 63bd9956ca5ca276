"""Requests in a log: the impressions of each, known when the log first speaks of it."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from feature_service.features.duplicates import Duplicates
from feature_service.features.events import Event, EventKind, is_late
from training.data.sources import order_ms

SPAN_MS = 600_000
"""Impressions of a request are gathered for so long; later ones are a slate of their own."""

Numbered = tuple[int, Event]
"""An event and its position in the log."""


@dataclass(slots=True)
class Counts:
    """What a replay has met so far.

    Attributes:
        events: Events read.
        slates: Slates sampled.
        candidates: Impressions sampled.
        sampled: Of those, drawn among the rooms live then and not shown.
        duplicates: Events left out because their id came shortly before, see `Duplicates`.
        late: Events that came too late for the records; a late impression is no sample.
    """

    events: int = 0
    slates: int = 0
    candidates: int = 0
    sampled: int = 0
    duplicates: int = 0
    late: int = 0


def with_slates(events: Iterable[Event], counts: Counts) -> Iterator[tuple[Event, list[Numbered] | None]]:
    """Yields the events of a log in order, each with the slate that was asked for just before it.

    A slate is what one user saw of one request (without a request id: at one time). The features of a slate must be as
    of its request, but impressions come one by one while the viewer scrolls, and the enter of the first may come
    before the second. So a slate comes with the first event of its request, whatever its kind. Memory holds the events
    of `SPAN_MS` and the ids of two hours. What was nobody's, as the viewer has been erased, is no slate.

    Args:
        events: In order of `order_ms`.
        counts: Is kept up to date.
    """
    duplicates = Duplicates()
    waiting: deque[tuple[int, Event]] = deque()
    slates: dict[tuple[str, str | int], list[Numbered]] = {}
    for position, event in enumerate(events):
        now_ms = order_ms(event)
        counts.events += 1
        if event in duplicates:
            counts.duplicates += 1
            continue
        duplicates.add(event)
        while waiting and waiting[0][0] + SPAN_MS < now_ms:
            earlier = waiting.popleft()[1]
            yield earlier, slates.pop(_request(earlier), None)
        if is_late(event):
            counts.late += 1
        elif event.kind is EventKind.IMPRESSION and event.user_id:
            slates.setdefault(_request(event), []).append((position, event))
        waiting.append((now_ms, event))
    for _, event in waiting:
        yield event, slates.pop(_request(event), None)


def once(events: Iterable[Event]) -> Iterator[Event]:
    """The events without those whose id came shortly before, see `Duplicates`."""
    duplicates = Duplicates()
    for event in events:
        if event not in duplicates:
            duplicates.add(event)
            yield event


def _request(event: Event) -> tuple[str, str | int]:
    return event.user_id, event.request_id or event.time_ms
