"""A service's own logs as training reads them: the events, what was served, and the state as it was in between."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from heapq import heappop, heappush
from itertools import count, islice
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from feature_service.features.catalog import Catalog
from feature_service.features.events import Event
from feature_service.features.layout import Layout
from feature_service.features.schema import key_of
from feature_service.features.state import State
from feature_service.live.table import LiveTable
from feature_service.log.kafka_topic import KafkaReader, KafkaTopic
from feature_service.log.protocol import LogError
from feature_service.log.reader import LogReader, read_records
from feature_service.log.segment import first_positions
from feature_service.served.layouts import read_layout
from feature_service.served.slate import SLATES, ServedSlate
from training.data.errors import DataError
from training.data.event_schema import to_table
from training.data.requests import once
from training.data.sources import order_ms
from training.data.sources import read_log as read_history

EVENTS_PER_REPORT = 5_000
_EVENTS_PER_BATCH = 16_384
_SWEEP_MS = 600_000
_LOOKAHEAD = 4_096
"""Served slates that are put in order: more than requests finish while the slowest one is under way."""

LogPlace = Path | KafkaTopic
"""Where a service's event log is."""

_Item = TypeVar("_Item")


def first_position(log: LogPlace) -> int:
    """The position of an event log's first event.

    Raises:
        DataError: There is no log in the folder, or the topic is none or cannot be reached.
    """
    if isinstance(log, KafkaTopic):
        with _named():
            log.describe()
            return log.span()[0]
    firsts = first_positions(log) if log.is_dir() else []
    if not firsts:
        raise DataError(f"{log}: expected the log of a feature service (<data>/log), found no segment")
    return firsts[0]


def follow(log: LogPlace, position: int) -> LogReader | KafkaReader:
    """A place in an event log, from which its events are read as they come.

    Raises:
        LogError: The log begins after that position, or cannot be reached.
    """
    return KafkaReader(log, position) if isinstance(log, KafkaTopic) else LogReader(log, position)


def read_events(log: LogPlace) -> Iterator[tuple[int, Event]]:
    """All events with their positions.

    Raises:
        DataError: There is no log, or a record is damaged.
    """
    with _named(), closing(follow(log, first_position(log))) as reader:
        yield from reader.poll()


def columns_of(log: LogPlace, columns: Sequence[str], on_progress: Callable[[int], None] | None = None) -> pa.Table:
    """Some columns of all events, in their order.

    Raises:
        DataError: There is no log, or a record is damaged.
    """
    events = (event for _, event in read_events(log))
    tables: list[pa.Table] = []
    read = 0
    while batch := list(islice(events, _EVENTS_PER_BATCH)):
        tables.append(to_table(batch).select(list(columns)))
        read += len(batch)
        if on_progress:
            on_progress(read)
    if not tables:
        raise DataError(f"{log}: expected events, found none")
    return pa.concat_tables(tables)


def read_served(served: Path) -> Iterator[ServedSlate]:
    """All served slates, in the order of their writing.

    Raises:
        DataError: There is no served log in the folder, or a record is damaged.
    """
    firsts = first_positions(served) if served.is_dir() else []
    if not firsts:
        raise DataError(f"{served}: expected the served log of a feature service (<data>/served), found no segment")
    with _named():
        for _, slate in read_records(served, firsts[0], SLATES):
            yield slate


def newest_served(served: Path) -> ServedSlate:
    """The served slate with tensors that was written last.

    Raises:
        DataError: There is none.
    """
    with _named():
        for first in reversed(first_positions(served) if served.is_dir() else []):
            newest = None
            for _, slate in read_records(served, first, SLATES):
                newest = slate if slate.tensors else newest
            if newest is not None:
                return newest
    raise DataError(f"{served}: expected served slates that a ranker ordered (<data>/served), found none")


def layout_of(served: Path, slate: ServedSlate) -> Layout:
    """The columns of a slate's tensors.

    Raises:
        DataError: The served log does not say.
    """
    with _named():
        return read_layout(served, slate.layout)


def in_order(items: Iterator[_Item], key: Callable[[_Item], int]) -> Iterator[_Item]:
    """Items in the order of their keys, as far as none is more than `_LOOKAHEAD` places from its own."""
    heap: list[tuple[int, int, _Item]] = []
    number = count()
    for item in items:
        heappush(heap, (key(item), next(number), item))
        if len(heap) > _LOOKAHEAD:
            yield heappop(heap)[2]
    while heap:
        yield heappop(heap)[2]


class FollowedState:
    """The state of a service, led through its events once more.

    Attributes:
        state: As after the events so far.
        live: The rooms on air, over the state.
        sweep_ms: When rooms that are off air for good are looked for next, Unix milliseconds.
    """

    def __init__(self, catalog: Catalog, *, viewers: bool = True) -> None:
        """Starts from nothing.

        Args:
            catalog: Says what the records remember.
            viewers: Whether viewers have records too; those of rooms and streamers are the same without.
        """
        self.state = State(catalog.memories)
        self.live = LiveTable(self.state)
        self.sweep_ms = 0
        self._viewers = viewers

    def apply(self, event: Event, on_gone: Callable[[int], None] = lambda _: None) -> int | None:
        """Takes one event in, as the service did.

        Args:
            event: The event.
            on_gone: Is told the key of each room that is about to be forgotten, because it went off air long ago.

        Returns:
            A room's row, as `LiveTable.learn` does.
        """
        self._forget(event.room_id, order_ms(event), on_gone)
        self.state.apply(event if self._viewers else event._replace(user_id=""))
        self.state.position += 1
        return self.live.learn(event)

    def _forget(self, room_id: str, now_ms: int, on_gone: Callable[[int], None]) -> None:
        """Forgets rooms that are gone: now and then all of them, and always the one of the event.

        So what becomes of a room depends on its own events alone, whoever else is followed beside it.
        """
        keys = self.state.rooms.fields["key"]
        if now_ms >= self.sweep_ms:
            for gone in self.live.sweep(now_ms):
                on_gone(int(keys[gone]))
            self.sweep_ms = now_ms + _SWEEP_MS
        elif (row := self.state.rooms.find(key_of("room", room_id))) and self.live.is_gone(row, now_ms):
            on_gone(int(keys[row]))
            self.live.forget(row)

    def seed(self, history: str | Path, first: int) -> None:
        """Takes in what the service was seeded with: the events before its log, of the log that they came from.

        Args:
            history: URI of the event log from which the service's data was seeded.
            first: The first position of the service's own log.

        Raises:
            DataError: The history cannot be read, or ends before that position.
        """
        for event in islice(once(read_history(history)), first):
            self.apply(self.state.facts.complete(event, 0))
        if self.state.position < first:
            raise DataError(
                f"{history}: expected the {first} events before the service's log, found {self.state.position}"
            )


@contextmanager
def _named() -> Iterator[None]:
    """Says what a log says in the words of training.

    Raises:
        DataError: In place of `LogError`, and of a record that is none.
    """
    try:
        yield
    except (LogError, ValueError) as error:
        raise DataError(str(error)) from error
