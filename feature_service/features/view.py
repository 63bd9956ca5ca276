"""The view: the records of one request as columns, from which every feature computes its value."""

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

    def __init__(self, table: Table, rows: NDArray[np.intp], entity: Entity, now_ms: int) -> None:
        self._table = table
        self._rows = rows
        self._entity = entity
        self._now_ms = now_ms
        self._records: NDArray[np.uint8] | None = None
        self._gathered: dict[str, NDArray[Any]] = {}
        self._decayed: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        """Number of rows."""
        return len(self._rows)

    def __getitem__(self, field: str) -> NDArray[Any]:
        """A column of the record, or a block of columns, [n, …]."""
        found = self._gathered.get(field)
        if found is None:
            column = self._table.fields[field]
            found = self._gathered[field] = column[self._rows] if column.ndim == 1 else self._wide(field)
        return found

    def _wide(self, field: str) -> NDArray[Any]:
        """A column of more than a number a row: numpy gathers those slowly, so that whole records are moved instead."""
        if self._records is None:
            self._records = self._table.gather(self._rows)
        return self._table.column(self._records, field)

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
    """What the features of one request read; no clock and no I/O behind it.

    Attributes:
        now_ms: The request's clock, Unix milliseconds.
        context: Where and how the user asks.
        user_key: The user's key.
        user: The user's record, one row.
        room: The candidates' rooms, N rows.
        streamer: The candidates' streamers, N rows.
        pair: The user's history with the candidates' streamers, N rows.
    """

    now_ms: int
    context: Context
    user_key: int
    user: Columns
    room: Columns
    streamer: Columns
    pair: Columns
