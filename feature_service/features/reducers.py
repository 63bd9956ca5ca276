"""Reducers: what a feature asks the records to remember, and how one event changes it.

Every reducer is commutative: events in any order leave the same bytes. A decayed slot keeps the sums of the newest
epoch it has seen, a latest value the one of the greatest (time, value), a recent list the greatest (time, room).
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any, NamedTuple, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from feature_service.features.events import Event, EventKind

FieldSpec = tuple[str, str, tuple[int, ...]]
"""Name, numpy dtype and shape of a record field."""

Fields = dict[str, NDArray[Any]]
"""The columns of a record table by field name, [capacity, …]."""

Update = Callable[[Fields, int, Event, "Keys"], None]
"""Applies one event to one row of a table's columns."""


class Entity(StrEnum):
    """What a record describes."""

    ROOM = "room"
    STREAMER = "streamer"
    USER = "user"
    PAIR = "pair"  # A user and a streamer.


class Keys(NamedTuple):
    """The int64 keys of an event's ids; 0 = not given."""

    user: int
    room: int
    streamer: int
    category: int


class Memory(Protocol):
    """Something that a record of `entity` remembers."""

    @property
    def entity(self) -> Entity:
        """Whose record it belongs to."""
        ...

    def fields(self) -> list[FieldSpec]:
        """The record fields it needs."""
        ...

    def updates(self) -> list[tuple[EventKind, Update]]:
        """What each kind of event does to a row."""
        ...


def _one(event: Event) -> int:  # noqa: ARG001
    return 1


@dataclass(frozen=True, slots=True)
class Signal:
    """A named integer amount that an event carries.

    Attributes:
        name: Part of the field and feature names.
        kind: The events that carry it.
        amount: The amount of one event.
        unit: Unit of the amount.
    """

    name: str
    kind: EventKind
    amount: Callable[[Event], int] = _one
    unit: str = "events"


@dataclass(frozen=True, slots=True)
class Total:
    """Lifetime sum of a signal: int64 `total.<signal>`."""

    entity: Entity
    signal: Signal

    @property
    def field(self) -> str:
        """The record field."""
        return f"total.{self.signal.name}"

    def fields(self) -> list[FieldSpec]:
        """One int64."""
        return [(self.field, "<i8", ())]

    def updates(self) -> list[tuple[EventKind, Update]]:
        """Adds the event's amount."""
        name, amount = self.field, self.signal.amount

        def add(columns: Fields, row: int, event: Event, keys: Keys) -> None:  # noqa: ARG001
            column = columns[name]
            column[row] = column.item(row) + amount(event)  # Python integers: faster than numpy's scalars.

        return [(self.signal.kind, add)]


@dataclass(frozen=True, slots=True)
class Tally:
    """How many events fell into each of some places: int64 [size].

    Attributes:
        entity: Whose record.
        field: The record field.
        size: How many places.
        kind: The events that are counted.
        place: The event's place, or -1 for an event that is not counted.
    """

    entity: Entity
    field: str
    size: int
    kind: EventKind
    place: Callable[[Event], int]

    def fields(self) -> list[FieldSpec]:
        """A count a place."""
        return [(self.field, "<i8", (self.size,))]

    def updates(self) -> list[tuple[EventKind, Update]]:
        """Adds one in the event's place."""
        name, place_of = self.field, self.place

        def add(columns: Fields, row: int, event: Event, keys: Keys) -> None:  # noqa: ARG001
            place = place_of(event)
            if place >= 0:
                columns[name][row, place] += 1

        return [(self.kind, add)]


@dataclass(frozen=True, slots=True)
class Latest:
    """The newest given value: ties in time go to the greater value, so the order of events does not matter.

    Attributes:
        entity: Whose record.
        field: The record field; its time stands in `given_ms.<field>`.
        kinds: The events that may give it.
        dtype: Numpy dtype.
        value: The event's value, or None when it gives none.
        width: Numbers of a vector; 0 = a scalar.
    """

    entity: Entity
    field: str
    kinds: tuple[EventKind, ...]
    dtype: str
    value: Callable[[Event, Keys], Any]
    width: int = 0

    def fields(self) -> list[FieldSpec]:
        """The value and its time."""
        return [(self.field, self.dtype, (self.width,) if self.width else ()), (f"given_ms.{self.field}", "<i8", ())]

    def updates(self) -> list[tuple[EventKind, Update]]:
        """Keeps the value of the greatest (time, value)."""
        name, stamp, value = self.field, f"given_ms.{self.field}", self.value

        def keep(columns: Fields, row: int, event: Event, keys: Keys) -> None:
            given = value(event, keys)
            if given is None:
                return
            held_ms = columns[stamp].item(row)
            if event.time_ms > held_ms or (event.time_ms == held_ms and _greater(given, columns[name][row])):
                columns[name][row] = given
                columns[stamp][row] = event.time_ms

        return [(kind, keep) for kind in self.kinds]


def _greater(given: Any, held: Any) -> bool:
    if isinstance(held, np.ndarray):
        vector = cast(NDArray[Any], held)
        # Rounded to the held dtype first, else the order of two vectors that round alike would matter.
        return np.asarray(given, vector.dtype).tolist() > vector.tolist()
    return bool(given > held)


@dataclass(frozen=True, slots=True)
class Highest:
    """The greatest value so far of an int64, 0 at first (times, usually)."""

    entity: Entity
    field: str
    kinds: tuple[EventKind, ...]
    value: Callable[[Event], int]

    def fields(self) -> list[FieldSpec]:
        """One int64."""
        return [(self.field, "<i8", ())]

    def updates(self) -> list[tuple[EventKind, Update]]:
        """Keeps the greater of the held and the given."""
        name, value = self.field, self.value

        def keep(columns: Fields, row: int, event: Event, keys: Keys) -> None:  # noqa: ARG001
            column = columns[name]
            given = value(event)
            if given > column.item(row):
                column[row] = given

        return [(kind, keep) for kind in self.kinds]


class Entry(IntEnum):
    """The rows of a recent list."""

    TIME_MS = 0
    ROOM = 1
    STREAMER = 2
    CATEGORY = 3
    AMOUNT = 4


@dataclass(frozen=True, slots=True)
class Recent:
    """The newest `size` rooms with something about each, newest first; zeros behind: int64 [5, size].

    An entry is a column of `Entry`; the list holds the `size` with the greatest (time, room, amount, streamer,
    category). With `distinct` a room stands once, at its greatest entry, so that a leave replaces the enter of the
    same visit.

    Attributes:
        entity: Whose record.
        field: The record field.
        size: Entries kept.
        kinds: The events that make an entry.
        amount: An integer of the event, such as the dwell.
        distinct: Keep a room once.
    """

    entity: Entity
    field: str
    size: int
    kinds: tuple[EventKind, ...]
    amount: Callable[[Event], int]
    distinct: bool

    def fields(self) -> list[FieldSpec]:
        """One block of int64."""
        return [(self.field, "<i8", (len(Entry), self.size))]

    def updates(self) -> list[tuple[EventKind, Update]]:
        """Inserts the event's entry where it belongs."""
        name, amount, distinct = self.field, self.amount, self.distinct

        def insert(columns: Fields, row: int, event: Event, keys: Keys) -> None:
            entry = (event.time_ms, keys.room, keys.streamer, keys.category, amount(event))
            _insert(columns[name][row], entry, distinct=distinct)

        return [(kind, insert) for kind in self.kinds]


EntryValues = tuple[int, int, int, int, int]


def _insert(entries: NDArray[np.int64], entry: EntryValues, *, distinct: bool) -> None:
    """Puts an entry into a list sorted by descending order, in place; a repeat changes nothing."""
    stop, order = entries.shape[1] - 1, _order(*entry)
    if distinct:
        held = np.flatnonzero(entries[Entry.ROOM] == entry[Entry.ROOM])
        if held.size:
            stop = int(held[0])
            if _order_at(entries, stop) >= order:
                return
    # Events come nearly in time's order, so the front is tried first.
    newest = entry[0] > entries.item(0, 0)
    place = 0 if newest else _place(entries, order)
    if place > stop or (not newest and _order_at(entries, place) == order):
        return
    _shift(entries, place, stop)
    for line, value in enumerate(entry):
        entries[line, place] = value


def _shift(entries: NDArray[np.int64], place: int, stop: int) -> None:
    """Moves the entries in [place, stop) one back."""
    if place == 0 and stop == entries.shape[1] - 1:
        # The usual case as one move of memory: what slips to the front of the next line is overwritten by the new one.
        flat = entries.reshape(-1)
        flat[1:] = flat[:-1]
    else:
        entries[:, place + 1 : stop + 1] = entries[:, place:stop]


def _order(time_ms: int, room: int, streamer: int, category: int, amount: int) -> EntryValues:
    """What entries are sorted by: all that they hold, so that no two different ones are equal."""
    return time_ms, room, amount, streamer, category


def _order_at(entries: NDArray[np.int64], place: int) -> EntryValues:
    return _order(*entries[:, place].tolist())


def _place(entries: NDArray[np.int64], order: EntryValues) -> int:
    """How many entries are greater."""
    place = int(np.searchsorted(-entries[0], -order[0]))
    while place < entries.shape[1] and _order_at(entries, place) > order:
        place += 1
    return place
