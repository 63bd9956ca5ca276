"""The viewers' side of an hour: slates of which something was seen, and visits; by shard, and put together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from feature_service.features.events import MAX_AHEAD_MS, MAX_LATENESS_MS, Event, EventKind
from feature_service.features.layout import Layout
from feature_service.log.codec import EVENTS
from feature_service.served.layouts import name_of
from feature_service.served.slate import SLATES, ServedSlate
from training.data.chunks import Chunk
from training.data.hours import HOUR_MS
from training.data.join import EnterColumns, Extent, Labels
from training.data.samples import Candidates, Slates
from training.data.served_impressions import EARLIER_MS
from training.heads import HEAD_NAMES
from training.streaming.flink.columns import columns_of, read_columns
from training.streaming.flink.elements import Element, Kind
from training.streaming.flink.parts import Arrays
from training.streaming.hour_join import Hour, enters_in, rows_from_ms, samples_of
from training.streaming.rows import Rows

_EVERY_KIND = frozenset(map(int, EventKind))
_LABELS = ("labels", "mask", "censored", "delay_s")


@dataclass(frozen=True, slots=True)
class Counts:
    """What happened in an hour.

    Attributes:
        events: Events.
        late: Of those, received too late for the records.
        first_ms: When the first one happened, Unix milliseconds; greater than `last_ms` if none did.
        last_ms: When the last one did.
    """

    events: int
    late: int
    first_ms: int
    last_ms: int


class Known:
    """What a shard knows by a moment, decoded once for all hours that are due.

    Attributes:
        moment_ms: The moment, Unix milliseconds: what was received later is left out.
        events: Those of its own viewers, in the order of the log.
        slates: Those served to them, by their clocks.
    """

    def __init__(self, elements: Sequence[Element], moment_ms: int) -> None:
        """Decodes a shard's elements, which are in the order of the logs."""
        self.moment_ms = moment_ms
        self.events: list[Event] = []
        self.slates: list[ServedSlate] = []
        self._rows, self._others = Rows(), list[int]()
        for each in elements:
            if each.at_ms >= moment_ms:
                continue
            if each.kind == Kind.SLATE:
                self.slates.append(SLATES.from_bytes(each.payload))
            else:
                self._take(each)
        self.slates.sort(key=lambda slate: slate.served_ms)

    def rows(self, from_ms: int) -> pa.Table:
        """The events that happened from a time on, as `Rows.since`; column `own`, bool: which of them count here."""
        rows = self._rows.since(from_ms)
        own = ~np.isin(rows["position"].to_numpy(), self._others)
        return rows.append_column("own", pa.array(own, pa.bool_()))

    def _take(self, element: Element) -> None:
        event = EVENTS.from_bytes(element.payload)
        self._rows.offer(element.number, event)
        if element.kind == Kind.EVENT:
            self.events.append(event)
        else:
            self._others.append(element.number)


class ViewerShard:
    """What a shard does with what it knows."""

    def __init__(self, layout: Layout) -> None:
        """Takes the columns of the samples; slates with others are left out."""
        self._layout, self._layout_name = layout, name_of(layout)

    def arrays(self, known: Known, number: int) -> Arrays:
        """An hour as of a moment.

        Args:
            known: What is known by the moment, of the hour and of the time that matters to it.
            number: Hours since the Unix epoch.
        """
        hour = Hour(
            number=number,
            rows=known.rows(rows_from_ms(number)),
            extent=Extent(known.moment_ms, _EVERY_KIND),
            slates=(each for each in known.slates if _slates_from_ms(number) <= each.served_ms < _end_ms(number)),
            layout_name=self._layout_name,
            layout=self._layout,
        )
        return dict(_flat(hour))


def needed_from_ms(hour: int) -> int:
    """What was received or served earlier does not matter to an hour."""
    return min(rows_from_ms(hour) - MAX_AHEAD_MS, _slates_from_ms(hour))


def _slates_from_ms(hour: int) -> int:
    return hour * HOUR_MS - EARLIER_MS


def _end_ms(hour: int) -> int:
    return (hour + 1) * HOUR_MS


def _flat(hour: Hour) -> Iterator[tuple[str, NDArray[Any]]]:
    """What the shard has of an hour; no slates and candidates where there are none."""
    yield "counts", _counts(hour)
    yield from columns_of("enters", [enters_in(hour)])
    found = list(samples_of(hour, HEAD_NAMES))
    if found:
        yield from columns_of("slates", [chunk.slates for chunk, _ in found])
        yield from columns_of("candidates", [_labelled(chunk, labels) for chunk, labels in found])


def _labelled(chunk: Chunk, labels: Labels) -> Candidates:
    return replace(chunk.candidates, **{name: getattr(labels, name) for name in _LABELS})


def _counts(hour: Hour) -> NDArray[np.int64]:
    rows = hour.rows.filter(pa.array(hour.happened & hour.rows["own"].to_numpy()))
    times_ms, received_ms = rows["time_ms"].to_numpy(), rows["received_ms"].to_numpy()
    late = int((received_ms - times_ms > MAX_LATENESS_MS).sum())
    first_ms, last_ms = times_ms.min(initial=hour.end_ms), times_ms.max(initial=hour.start_ms)
    return np.array([rows.num_rows, late, first_ms, last_ms], np.int64)


@dataclass(frozen=True, slots=True)
class Viewers:
    """The viewers' side of an hour, of all shards.

    Attributes:
        counts: What happened.
        enters: The visits that began.
        samples: The slates in the order of their clocks, those of one moment by viewer; None without any.
    """

    counts: Counts
    enters: EnterColumns
    samples: tuple[Slates, Candidates] | None


def together(parts: Sequence[Arrays]) -> Viewers:
    """Puts the parts of an hour together, whose order does not matter."""
    counts = np.array([part["counts"] for part in parts])
    events, late = counts[:, :2].sum(axis=0).tolist()
    enters = EnterColumns(**read_columns("enters", parts))
    order = np.lexsort((enters.room, enters.user, enters.time_ms))
    return Viewers(
        Counts(events, late, int(counts[:, 2].min()), int(counts[:, 3].max())),
        EnterColumns(**{each.name: getattr(enters, each.name)[order] for each in fields(enters)}),
        _samples([part for part in parts if "slates.user" in part]),
    )


def _samples(parts: Sequence[Arrays]) -> tuple[Slates, Candidates] | None:
    if not parts:
        return None
    before = np.cumsum([0, *(len(part["slates.user"]) for part in parts)])
    moved = [
        {**part, "candidates.slate": part["candidates.slate"] + first}
        for part, first in zip(parts, before.tolist(), strict=False)
    ]
    slates, candidates = Slates(**read_columns("slates", moved)), Candidates(**read_columns("candidates", moved))
    order = np.lexsort((slates.user, slates.time_ms))
    place = np.empty(len(order), np.int32)
    place[order] = np.arange(len(order))
    candidates = replace(candidates, slate=place[candidates.slate])
    return slates.take(order), candidates.take(np.argsort(candidates.slate, kind="stable"))
