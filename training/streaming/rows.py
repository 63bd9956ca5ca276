"""The newest events of a log, as the columns that the join reads."""

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from feature_service.features.events import Event
from training.data.event_schema import SCHEMA, to_table
from training.data.join import JOIN_COLUMNS

COLUMNS = (*JOIN_COLUMNS, "received_ms")

_EVENTS_PER_TABLE = 16_384
_NONE = pa.schema([*(SCHEMA.field(name) for name in COLUMNS), pa.field("position", pa.int64())]).empty_table()


@dataclass(slots=True)
class Rows:
    """Events in memory, some 150 bytes each.

    Attributes:
        from_ms: What happened before is not held, Unix milliseconds.
        last_ms: Time of the newest event that was ever offered.
        kinds: The kinds of all that were.
    """

    from_ms: int = 0
    last_ms: int = 0
    kinds: set[int] = field(default_factory=set[int])
    _tables: list[pa.Table] = field(default_factory=list[pa.Table])
    _waiting: list[Event] = field(default_factory=list[Event])
    _positions: list[int] = field(default_factory=list[int])

    def offer(self, position: int, event: Event) -> bool:
        """Takes the event at a position of the log behind all others, unless it happened too long ago; says whether."""
        self.last_ms = max(self.last_ms, event.time_ms)
        self.kinds.add(int(event.kind))
        if event.time_ms < self.from_ms:
            return False
        self._waiting.append(event)
        self._positions.append(position)
        if len(self._waiting) == _EVENTS_PER_TABLE:
            self._flush()
        return True

    def since(self, from_ms: int) -> pa.Table:
        """The events that happened from a time on, in the log's order.

        Returns:
            `COLUMNS`, and `position` in the log, int64.
        """
        self._flush()
        return pa.concat_tables([_NONE, *(_since(table, from_ms) for table in self._tables)])

    def erase(self, user_id: str) -> None:
        """Makes what a user did so far nobody's."""
        self._flush()
        self._tables = [_nobodys(table, user_id) for table in self._tables]

    def forget(self, before_ms: int) -> None:
        """Lets go of the events that happened before a time, and takes none of them any more."""
        self._flush()
        self.from_ms = before_ms
        kept = [_since(table, before_ms) for table in self._tables]
        self._tables = [table for table in kept if table.num_rows]

    def first_position(self, otherwise: int) -> int:
        """The position of the first event that is held."""
        self._flush()
        return self._tables[0]["position"][0].as_py() if self._tables else otherwise

    def _flush(self) -> None:
        if self._waiting:
            columns = to_table(self._waiting).select(list(COLUMNS))
            self._tables.append(columns.append_column("position", pa.array(self._positions, pa.int64())))
            self._waiting, self._positions = [], []


def _since(table: pa.Table, from_ms: int) -> pa.Table:
    keep = table["time_ms"].to_numpy() >= from_ms
    return table if keep.all() else table.filter(pa.array(keep))


def _nobodys(table: pa.Table, user_id: str) -> pa.Table:
    users = table["user_id"].to_numpy()
    erased = users == user_id
    if not erased.any():
        return table
    column = pa.array(np.where(erased, "", users), pa.string())
    return table.set_column(table.column_names.index("user_id"), table.schema.field("user_id"), column)
