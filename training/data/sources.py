"""The event log at rest: Parquet shards in order of receipt, written and read as streams."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from feature_service.features.events import Event
from training.data.errors import DataError
from training.data.event_schema import (
    DICTIONARY_COLUMNS,
    REQUIRED_COLUMNS,
    SCHEMA,
    default_column,
    fill,
    to_events,
    to_table,
)
from training.data.locations import first_line, locate, reachable, shards

ROWS_PER_FILE = 1_000_000
ROWS_PER_GROUP = 65_536
_ROWS_PER_BATCH = 16_384
_DICTIONARY: Any = list(DICTIONARY_COLUMNS)  # pyarrow's stubs say bool; it takes names too


@dataclass(frozen=True, slots=True)
class Written:
    """What `write_log` wrote.

    Attributes:
        events: How many.
        files: How many shards.
        first_ms: Time of receipt of the first event, Unix milliseconds; 0 when there is none.
        last_ms: The same of the last.
    """

    events: int
    files: int
    first_ms: int
    last_ms: int


def order_ms(event: Event) -> int:
    """The time by which a log is ordered: when the event was received, or happened if that is not given."""
    return event.received_ms or event.time_ms


def write_log(uri: str | Path, events: Iterable[Event], *, rows_per_file: int = ROWS_PER_FILE) -> Written:
    """Writes events as `part-00000.parquet` and so on, holding one row group in memory.

    A shard appears under its name when it is whole.

    Args:
        uri: A folder that holds no shard yet.
        events: In order of `order_ms`; events of one time keep their order.
        rows_per_file: Rows of each shard but the last.

    Raises:
        DataError: The folder holds a log already, or an event is earlier than the one before it.
    """
    filesystem, folder = locate(uri)
    with reachable(uri):
        _refuse_existing(filesystem, folder, uri)
        filesystem.create_dir(folder, recursive=True)
    ordered = _Ordered(events)
    files = 0
    while True:
        part = islice(ordered, rows_per_file)
        head = list(islice(part, ROWS_PER_GROUP))
        if not head:
            break
        write_shard(filesystem, f"{folder}/part-{files:05d}.parquet", part, head)
        files += 1
    return Written(ordered.count, files, ordered.first_ms, ordered.last_ms)


def read_log(uri: str | Path) -> Iterator[Event]:
    """Reads all events in their order, holding one batch in memory.

    Raises:
        DataError: No such log, a shard that is not readable as Parquet (named), or a column that is missing,
            unknown or of another type (named).
    """
    filesystem, files = shards(uri)
    return _events(filesystem, files)


def read_columns(uri: str | Path, columns: Sequence[str]) -> pa.Table:
    """Reads some columns of all events, in their order, with the types of `SCHEMA` and defaults in place of nulls.

    Raises:
        DataError: As `read_log`; also a column that `Event` does not have.
    """
    for column in columns:
        if column not in SCHEMA.names:
            raise DataError(f"{uri}: expected columns of {', '.join(SCHEMA.names)}, received {column}")
    filesystem, files = shards(uri)
    wanted = pa.schema([SCHEMA.field(column) for column in columns])
    return pa.concat_tables([_read_table(filesystem, path, wanted) for path in files])


@contextmanager
def opened(filesystem: fs.FileSystem, path: str) -> Iterator[pq.ParquetFile]:
    """Opens a shard whose columns are checked; errors while it is read name the shard.

    Raises:
        DataError: The shard is not readable as Parquet, or its columns are not those of `SCHEMA`.
    """
    try:
        with filesystem.open_input_file(path) as file:
            metadata = pq.read_metadata(file)
            names = metadata.schema.to_arrow_schema().names
            _check_columns(names)
            coded = [name for name in DICTIONARY_COLUMNS if name in names]
            with pq.ParquetFile(file, metadata=metadata, read_dictionary=coded) as shard:
                yield shard
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not readable as Parquet ({first_line(error)})") from error


def batches(shard: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
    """The batches of a shard, in order."""
    return shard.iter_batches(batch_size=_ROWS_PER_BATCH, use_threads=False)


def _events(filesystem: fs.FileSystem, files: Sequence[str]) -> Iterator[Event]:
    for path in files:
        with opened(filesystem, path) as shard:
            for batch in batches(shard):
                yield from to_events(batch)


def _check_columns(names: Sequence[str]) -> None:
    for name in REQUIRED_COLUMNS:
        if name not in names:
            raise DataError(f"expected a column {name}, found {', '.join(names)}")
    for name in names:
        if name not in SCHEMA.names:
            raise DataError(f"unknown column {name}, expected columns of {', '.join(SCHEMA.names)}")


def _read_table(filesystem: fs.FileSystem, path: str, wanted: pa.Schema) -> pa.Table:
    with opened(filesystem, path) as shard:
        there = [name for name in wanted.names if name in shard.schema_arrow.names]
        table = shard.read(columns=there)
        columns = [
            fill(table[field.name].cast(field.type), field.name)
            if field.name in there
            else default_column(field, table.num_rows)
            for field in wanted
        ]
        return pa.table(columns, schema=wanted)


def _refuse_existing(filesystem: fs.FileSystem, folder: str, uri: str | Path) -> None:
    info = filesystem.get_file_info(folder)
    if info.type == fs.FileType.File:
        raise DataError(f"{uri}: expected a folder to write to, found a file")
    if info.type == fs.FileType.Directory:
        found = filesystem.get_file_info(fs.FileSelector(folder))
        if any(item.base_name.endswith(".parquet") for item in found):
            raise DataError(f"{uri}: expected a folder without a log, found Parquet files in it")


def write_shard(filesystem: fs.FileSystem, path: str, events: Iterator[Event], head: Sequence[Event] = ()) -> None:
    """Writes events into a shard that appears under its name when it is whole, holding one row group in memory.

    Args:
        filesystem: Where it is.
        path: Of the shard.
        events: All of them; they must fit in one file.
        head: Those before them, if some have been taken off.
    """
    folder, name = path.rsplit("/", 1)
    unfinished = f"{folder}/_{name}"
    with (
        filesystem.open_output_stream(unfinished) as file,
        pq.ParquetWriter(file, SCHEMA, compression="zstd", use_dictionary=_DICTIONARY) as writer,
    ):
        group = list(head) or list(islice(events, ROWS_PER_GROUP))
        while group:
            writer.write_table(to_table(group), row_group_size=ROWS_PER_GROUP)
            group = list(islice(events, ROWS_PER_GROUP))
    filesystem.move(unfinished, path)


class _Ordered:
    """Passes events on, refuses disorder, and remembers how many there were and from when to when."""

    def __init__(self, events: Iterable[Event]) -> None:
        self._events = iter(events)
        self.count = 0
        self.first_ms = 0
        self.last_ms = 0

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        event = next(self._events)
        time_ms = order_ms(event)
        if not self.count:
            self.first_ms = time_ms
        elif time_ms < self.last_ms:
            raise DataError(
                f"event {event.event_id}: expected events in order of time, received {time_ms} after {self.last_ms}"
            )
        self.last_ms = time_ms
        self.count += 1
        return event
