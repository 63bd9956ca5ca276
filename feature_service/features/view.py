"""The view: the records of requests as columns, from which every feature computes its value."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_service.features import decay
from feature_service.features.records import Table
from feature_service.features.reducers import Entity


@dataclass(frozen=True, slots=True)
class Context:
    """Where and how the user asks; an empty string = not given."""

    scene: str = ""
    device: str = ""
    network: str = ""
    region: str = ""


class Columns:
    """Chosen rows of one table; each column is gathered once."""

    def __init__(
        self,
        table: Table,
        rows: NDArray[np.intp],
        entity: Entity,
        now_ms: int | NDArray[np.int64],
        records: NDArray[np.uint8] | None = None,
    ) -> None:
        """Prepares the columns; nothing is read yet.

        Args:
            table: Whose rows.
            rows: The rows, intp [n].
            entity: What they describe.
            now_ms: The clock, Unix milliseconds, of all rows or of each, int64 [n].
            records: Copies of the rows that were gathered earlier, [n, bytes of a record]; None = as the table stands.
        """
        self._table = table
        self._rows = rows
        self._entity = entity
        self._now_ms = now_ms
        self._records = records
        self._gathered: dict[str, NDArray[Any]] = {}
        self._decayed: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        """Number of rows."""
        return len(self._rows)

    def __getitem__(self, field: str) -> NDArray[Any]:
        """A column of the record, or a block of columns, [n, …]."""
        found = self._gathered.get(field)
        if found is None:
            found = self._gathered[field] = self._read(field)
        return found

    def _read(self, field: str) -> NDArray[Any]:
        """One number a row is gathered alone; of more, numpy is slow to, so that whole records are moved instead."""
        if self._records is None:
            column = self._table.fields[field]
            if column.ndim == 1:
                return column[self._rows]
            self._records = self._table.gather(self._rows)
        return self._table.column(self._records, field)

    def minutes_since(self, times_ms: NDArray[np.int64]) -> NDArray[np.float64]:
        """Minutes from times of the rows, int64 [n, …], until their clock; 0 where there is no time."""
        now_ms = np.reshape(self._now_ms, (-1, *(1,) * (times_ms.ndim - 1)))
        return np.where(times_ms > 0, (now_ms - times_ms) / 60_000, 0)

    def total(self, signal: str) -> NDArray[np.int64]:
        """Lifetime sum of a signal, int64 [n]."""
        return self.totals()[:, self._table.place(f"total.{signal}")]

    def totals(self) -> NDArray[np.int64]:
        """Lifetime sums of all signals, int64 [n, signals]."""
        return self["total"]

    def decayed(self, signal: str) -> NDArray[np.float32]:
        """Decayed sums of a signal, a column a half-life, float32 [n, half-lives]."""
        return self.all_decayed()[:, self._table.place(f"{decay.sums_field(self._entity)}.{signal}")]

    def all_decayed(self) -> NDArray[np.float32]:
        """Decayed sums of all signals, float32 [n, signals, half-lives]."""
        if self._decayed is None:
            sums, epochs = self[decay.sums_field(self._entity)], self[decay.epochs_field(self._entity)]
            self._decayed = decay.read(sums, epochs, self._entity, self._now_ms)
        return self._decayed


@dataclass(frozen=True, slots=True)
class View:
    """What the features of requests read; no clock and no I/O behind it.

    The service looks at one request, replay at many together; a feature computes the same for both.

    Attributes:
        now_ms: Each request's clock, Unix milliseconds, int64 [U].
        contexts: Where and how each user asks, [U].
        user_keys: The users' keys, int64 [U].
        user: The users' records, U rows.
        request: Which request each candidate belongs to, intp [N]; None = all of them to the only one.
        room: The candidates' rooms, N rows.
        streamer: The candidates' streamers, N rows.
        pair: The users' histories with the candidates' streamers, N rows.
    """

    now_ms: NDArray[np.int64]
    contexts: Sequence[Context]
    user_keys: NDArray[np.int64]
    user: Columns
    request: NDArray[np.intp] | None
    room: Columns
    streamer: Columns
    pair: Columns

    def for_candidates(self, values: NDArray[Any]) -> NDArray[Any]:
        """A value a request as a value a candidate: [U, …] → [N, …], or [1, …] of a single request, to be broadcast."""
        return values if self.request is None else values[self.request]
