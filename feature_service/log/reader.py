"""Reads a local log, also while another process writes it."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Generic

from feature_service.features.events import Event
from feature_service.log.codec import EVENTS, Codec, Record
from feature_service.log.protocol import LogError
from feature_service.log.segment import MAX_PAYLOAD_BYTES, decode, first_positions, is_torn, segment_path

_CHUNK_BYTES = 1 << 20


class RecordReader(Generic[Record]):
    """A place in a log, from which a follower reads on whenever it likes.

    What it reads has been written, but it may be acknowledged only a moment later.
    """

    def __init__(self, folder: Path, position: int, codec: Codec[Record]) -> None:
        """Opens the log.

        Args:
            folder: The log's folder; it may still be empty.
            position: The first record to read.
            codec: What the records are.

        Raises:
            LogError: The log begins after that position.
        """
        firsts = first_positions(folder)
        if firsts and position < firsts[0]:
            raise LogError(
                f"{folder}: expected a position of {firsts[0]} (the log's first) or more, received {position}"
            )
        self._folder = folder
        self._codec = codec
        self._from = position
        self._first = max((first for first in firsts if first <= position), default=position)
        self._last = self._position = self._first
        self._offset = 0
        self._file: int | None = None

    def poll(self) -> Iterator[tuple[int, Record]]:
        """The records that are there by now, each with its position; stops at the last complete record.

        Raises:
            LogError: A record is damaged, or a segment is missing.
        """
        while (file := self._open()) is not None:
            is_last = self._is_last()
            for payload in self._payloads(file, is_last=is_last):
                position = self._position - 1
                if position >= self._from:
                    yield position, self._codec.from_bytes(payload)
            if not self._advance(is_last=is_last):
                return

    def close(self) -> None:
        """Closes the file that is being read."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _open(self) -> int | None:
        """The file of the segment; None when there is none yet."""
        if self._file is None:
            with suppress(FileNotFoundError):
                self._file = os.open(segment_path(self._folder, self._first), os.O_RDONLY | os.O_CLOEXEC)
        return self._file

    def _is_last(self) -> bool:
        """Whether no segment follows; the folder is listed only when none was known to."""
        if self._first >= self._last:
            self._last = first_positions(self._folder)[-1]
        return self._first == self._last

    def _payloads(self, file: int, *, is_last: bool) -> Iterator[bytes]:
        """Payloads of the segment from the present offset on; the place moves with each."""
        size = _CHUNK_BYTES
        while chunk := os.pread(file, size, self._offset):
            start, done = self._offset, 0
            for done, payload in decode(chunk):
                self._offset = start + done
                self._position += 1
                yield payload
            if len(chunk) < size and done < len(chunk):
                self._check_end(chunk[done:], is_last=is_last)
                return
            if not done:
                size = self._larger(size)

    def _larger(self, size: int) -> int:
        """The next size of a chunk that held no whole record."""
        if size > MAX_PAYLOAD_BYTES:
            raise LogError(self._damage())
        return 4 * size

    def _check_end(self, rest: bytes, *, is_last: bool) -> None:
        if not (is_last and is_torn(rest)):
            raise LogError(self._damage())

    def _advance(self, *, is_last: bool) -> bool:
        """Goes on to the next segment, if there is one.

        `is_last` was looked up before the segment was read to its end, so a writer's new segment is no false alarm.
        """
        if self._position > self._first and segment_path(self._folder, self._position).exists():
            self.close()
            self._first, self._offset = self._position, 0
            return True
        if not is_last:
            raise LogError(
                f"{segment_path(self._folder, self._first)}: expected a segment at position {self._position} behind it"
            )
        return False

    def _damage(self) -> str:
        path = segment_path(self._folder, self._first)
        return f"{path}: damaged record at offset {self._offset} (position {self._position}), not at the log's end"


class LogReader(RecordReader[Event]):
    """A place in an event log."""

    def __init__(self, folder: Path, position: int) -> None:
        """Opens the log at an event; see `RecordReader`."""
        super().__init__(folder, position, EVENTS)


def read_log(folder: Path, position: int) -> Iterator[tuple[int, Event]]:
    """The events of a log from a position to the end as it is now, each with its position; see `read_records`."""
    return read_records(folder, position, EVENTS)


def read_records(folder: Path, position: int, codec: Codec[Record]) -> Iterator[tuple[int, Record]]:
    """The records of a log from a position to the end as it is now, each with its position.

    Raises:
        LogError: The position is before the log's first record, a record is damaged, or a segment is missing.
    """
    reader = RecordReader(folder, position, codec)
    try:
        yield from reader.poll()
    finally:
        reader.close()


def segment_at(folder: Path, codec: Codec[Record], time_ms: Callable[[Record], int], from_ms: int) -> int:
    """The position of a segment that begins at or before the first record of a time; 0 for no log.

    Args:
        folder: The log's folder.
        codec: What its records are.
        time_ms: When a record was written, Unix milliseconds.
        from_ms: The time.
    """
    firsts = first_positions(folder)
    for first in reversed(firsts):
        _, record = next(read_records(folder, first, codec), (first, None))
        if record is not None and time_ms(record) < from_ms:
            return first
    return firsts[0] if firsts else 0
