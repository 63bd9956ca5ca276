"""Validation of an event log: every bad row with its file, row, field and reason."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pyarrow import fs

from feature_service.features.duplicates import Duplicates
from feature_service.features.events import Event, problem
from training.data.errors import DataError
from training.data.event_schema import to_events
from training.data.locations import shards
from training.data.sources import batches, opened, order_ms


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with a log.

    Attributes:
        file: The shard.
        row: 0-based row in it; -1 = the shard as a whole.
        field: Field of the event; empty for a whole shard.
        why: What was expected and received.
    """

    file: str
    row: int
    field: str
    why: str

    def __str__(self) -> str:
        place = f"{self.file}: row {self.row}: {self.field}" if self.row >= 0 else self.file
        return f"{place}: {self.why}"


class Validation:
    """Goes through a log; one pass.

    Attributes:
        files: Shards looked at so far.
        rows: Rows looked at so far.
    """

    def __init__(self, uri: str | Path, *, now_ms: int, on_rows: Callable[[int], None] | None = None) -> None:
        """Prepares the pass.

        Args:
            uri: The log.
            now_ms: The clock, Unix milliseconds; events beyond it are findings.
            on_rows: Is called from time to time with `rows`.

        Raises:
            DataError: There is no log.
        """
        self._filesystem, self._files = shards(uri)
        self._now_ms = now_ms
        self.on_rows = on_rows
        self._last_ms = 0
        self._recent = Duplicates()
        self.files = 0
        self.rows = 0

    def __iter__(self) -> Iterator[Finding]:
        """Yields what is wrong, in order; a shard that cannot be read is one finding, and the rest is still checked."""
        for path in self._files:
            yield from _shard(self, self._filesystem, path)
            self.files += 1

    def check(self, event: Event) -> Iterator[tuple[str, str]]:
        """What is wrong with the next event of the log, as pairs of field and reason."""
        found = problem(event, self._now_ms)
        if found:
            field, _, why = found.partition(": ")
            yield field, why
        time_ms = order_ms(event)
        if time_ms < self._last_ms:
            yield "time_ms", f"expected events in order of time, received {time_ms} after {self._last_ms}"
        self._last_ms = max(self._last_ms, time_ms)
        if event.event_id and event in self._recent:
            yield "event_id", f"expected a unique id, received {event.event_id} again"
        self._recent.add(event)


def validate(uri: str | Path, *, now_ms: int, on_rows: Callable[[int], None] | None = None) -> Validation:
    """Checks a log: every event by `problem`, their order, and duplicate ids within `MAX_LATENESS_MS`.

    Args:
        uri: The log.
        now_ms: The clock, Unix milliseconds.
        on_rows: Is called from time to time with the number of rows looked at so far.

    Returns:
        The findings, to be iterated once; it counts files and rows as it goes.

    Raises:
        DataError: There is no log.
    """
    return Validation(uri, now_ms=now_ms, on_rows=on_rows)


def _shard(validation: Validation, filesystem: fs.FileSystem, path: str) -> Iterator[Finding]:
    row = 0
    try:
        with opened(filesystem, path) as shard:
            for batch in batches(shard):
                for event in _events(batch):
                    pairs = [_refused(event)] if isinstance(event, DataError) else validation.check(event)
                    yield from (Finding(path, row, field, why) for field, why in pairs)
                    row += 1
                    validation.rows += 1
                if validation.on_rows is not None:
                    validation.on_rows(validation.rows)
    except DataError as error:
        yield Finding(path, -1, "", str(error).removeprefix(f"{path}: "))


def _events(batch: pa.RecordBatch) -> Sequence[Event | DataError]:
    """The events of a batch; where one cannot be made, why."""
    try:
        return list(to_events(batch))
    except DataError:
        # Undo the dictionaries, or each row would carry the values of all.
        plain = [c.dictionary_decode() if pa.types.is_dictionary(c.type) else c for c in batch.columns]
        rows = pa.RecordBatch.from_arrays(plain, names=batch.schema.names)
        return [_event(rows.slice(row, 1)) for row in range(rows.num_rows)]


def _event(row: pa.RecordBatch) -> Event | DataError:
    try:
        return next(to_events(row))
    except DataError as error:
        return error


def _refused(error: DataError) -> tuple[str, str]:
    field, _, why = str(error).partition(": ")
    return field, why
