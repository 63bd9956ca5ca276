"""Logs of records on this machine: segments in one folder, written by one process, durable after a group sync."""

import asyncio
import logging
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Generic, NamedTuple, Self

from feature_service.log.codec import Codec, Record
from feature_service.log.lock import release_lock, take_lock
from feature_service.log.protocol import LogEndedError, LogError
from feature_service.log.reader import read_records
from feature_service.log.segment import decode, encode, first_positions, is_torn, segment_path

_logger = logging.getLogger(__name__)

SEGMENT_BYTES = 64 << 20
"""Size at which a new segment begins: about 400,000 events, or 5,000 served slates."""


class _Batch(NamedTuple):
    """What one sync covers: records before a position, in these files."""

    position: int
    retired: tuple[int, ...]
    current: int


class RecordLog(Generic[Record]):
    """Writes a log. What `append` wrote survives the end of the process, what `durable` covers a loss of power too."""

    def __init__(self, folder: Path, lock: int, segment_bytes: int, codec: Codec[Record], place: "_Place") -> None:
        """Takes over what `opened` has prepared."""
        self._folder = folder
        self._codec = codec
        self._lock = lock
        self._segment_bytes = segment_bytes
        self._file, self._size, self._position = place
        self._synced = self._position
        self._retired: list[int] = []
        self._failure: LogEndedError | None = None
        self._sync_task: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="log-sync")

    @classmethod
    def opened(cls, folder: Path, codec: Codec[Record], base: int = 0, segment_bytes: int = SEGMENT_BYTES) -> Self:
        """Opens a log for writing, and makes a new one when there is none.

        The trace of a write that a crash cut short is cut off, with a warning.

        Args:
            folder: Its folder.
            codec: What its records are.
            base: Position of the first record of a new log.
            segment_bytes: Size at which a new segment begins.

        Raises:
            LogError: Another process writes the log, a record is damaged, or the folder cannot be written.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = take_lock(folder)
            try:
                return cls(folder, lock, segment_bytes, codec, _open_last(folder, base))
            except BaseException:
                release_lock(lock)
                raise
        except OSError as error:
            raise LogError(f"{folder}: expected a folder to write the log in: {error.strerror}") from None

    @property
    def position(self) -> int:
        """The position after the last record."""
        return self._position

    def append(self, records: Sequence[Record]) -> int:
        """Writes records behind the others with one write, all or none.

        Returns:
            The position after them.

        Raises:
            LogError: They could not be written; nothing of them stays in the log.
        """
        self._check()
        count, data = encode(records, self._codec)
        try:
            if self._size >= self._segment_bytes:
                self._roll()
            _write(self._file, data)
        except OSError as error:
            self._take_back(error)
            raise LogError(f"{self._path}: {count} records not written: {error.strerror}") from None
        self._size += len(data)
        self._position += count
        return self._position

    def roll(self) -> int:
        """Begins a new segment, unless the present one is empty; returns its position.

        Raises:
            LogError: It could not be made.
        """
        self._check()
        if self._size:
            try:
                self._roll()
            except OSError as error:
                raise LogError(f"{self._folder}: no new segment at {self._position}: {error.strerror}") from None
        return self._position

    async def durable(self, position: int) -> None:
        """Waits until a sync covers every record before a position; many waiters share one.

        Raises:
            LogError: The position is behind the end, or the sync failed.
        """
        if position > self._position:
            raise LogError(f"{self._folder}: expected a position up to {self._position}, received {position}")
        while self._synced < position:
            self._check()
            if self._sync_task is None:
                self._sync_task = asyncio.create_task(self._sync_in_thread())
            # A waiter that is cancelled must not cancel the sync of the others.
            await asyncio.shield(self._sync_task)

    def sync(self) -> None:
        """Makes all records durable and blocks until they are; for writers without an event loop.

        Raises:
            LogError: The sync failed.
        """
        self._check()
        batch = self._batch()
        try:
            _sync(self._folder, batch)
        except OSError as error:
            raise self._fail(error) from None
        self._synced = batch.position

    def read(self, position: int) -> Iterator[tuple[int, Record]]:
        """The records from a position to the end as it is now, each with its position.

        Raises:
            LogError: The position is not in the log, or a record is damaged.
        """
        if position > self._position:
            raise LogError(f"{self._folder}: expected a position up to {self._position}, received {position}")
        return read_records(self._folder, position, self._codec)

    def close(self) -> None:
        """Syncs what is written, and lets another process write."""
        self._thread.shutdown()
        try:
            if self._failure is None:
                self.sync()
        finally:
            for file in (*self._retired, self._file):
                os.close(file)
            release_lock(self._lock)

    @property
    def _path(self) -> Path:
        return segment_path(self._folder, first_positions(self._folder)[-1])

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _roll(self) -> None:
        file = _create(segment_path(self._folder, self._position))
        self._retired.append(self._file)
        self._file, self._size = file, 0

    def _take_back(self, error: OSError) -> None:
        """Removes what a failed write has left, so that the next one begins at a record."""
        try:
            os.ftruncate(self._file, self._size)
        except OSError:
            self._fail(error)

    def _fail(self, error: OSError) -> LogEndedError:
        """Refuses all that comes: after a failed sync nobody knows which of the pages are on the disk."""
        self._failure = LogEndedError(f"{self._folder}: the log could not be synced: {error.strerror}; open it again")
        return self._failure

    def _batch(self) -> _Batch:
        retired, self._retired = self._retired, []
        return _Batch(self._position, tuple(retired), self._file)

    async def _sync_in_thread(self) -> None:
        batch = self._batch()
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, _sync, self._folder, batch)
            self._synced = batch.position
        except OSError as error:
            raise self._fail(error) from None
        finally:
            self._sync_task = None


class _Place(NamedTuple):
    """Where the writer goes on: the open file, its size in bytes, and the position after its last record."""

    file: int
    size: int
    position: int


def _open_last(folder: Path, base: int) -> _Place:
    """Opens the last segment behind its last good record."""
    firsts = first_positions(folder)
    if not firsts:
        file = _create(segment_path(folder, base))
        sync_folder(folder)
        return _Place(file, 0, base)
    path = segment_path(folder, firsts[-1])
    data = path.read_bytes()
    size, position = 0, firsts[-1]
    for size, _ in decode(data):  # noqa: B007
        position += 1
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    try:
        if size < len(data):
            _cut_off(path, file, data, size)
        # The last process may have ended between a write and its sync.
        os.fsync(file)
    except BaseException:
        os.close(file)
        raise
    return _Place(file, size, position)


def _cut_off(path: Path, file: int, data: bytes, size: int) -> None:
    if not is_torn(data[size:]):
        raise LogError(f"{path}: damaged record at offset {size}, good records follow it; restore the file")
    _logger.warning("%s: cut off %d bytes of a torn record at offset %d", path, len(data) - size, size)
    os.ftruncate(file, size)


def _create(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)


def _write(file: int, data: bytes) -> None:
    """Writes all of the bytes; the system may take fewer at a time."""
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _sync(folder: Path, batch: _Batch) -> None:
    """Syncs the files of a batch, and the folder when it has a new one; runs in a thread."""
    for file in (*batch.retired, batch.current):
        os.fdatasync(file)
    if batch.retired:
        sync_folder(folder)
    for file in batch.retired:
        os.close(file)


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
