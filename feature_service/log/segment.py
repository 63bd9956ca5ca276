"""Segments: the files of a local log, `<position of the first record>.log`, and the records in them.

A record is the payload's length and CRC-32 (two little-endian uint32) and the payload, in the event log an
`onair.v1.Event`.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from feature_service.log.codec import Codec, Record
from feature_service.log.protocol import LogError

HEADER = struct.Struct("<II")
MAX_PAYLOAD_BYTES = 1 << 22
"""As much as a gRPC message holds by default."""

_SUFFIX = ".log"


def segment_path(folder: Path, first: int) -> Path:
    """The file of the segment whose first record has that position."""
    return folder / f"{first:020d}{_SUFFIX}"


def first_positions(folder: Path) -> list[int]:
    """The positions at which the segments of a log begin, ascending.

    Raises:
        LogError: A file's name is no position.
    """
    names = [path.stem for path in folder.glob(f"*{_SUFFIX}")]
    strange = [name for name in names if not name.isdecimal()]
    if strange:
        raise LogError(f"{folder / strange[0]}{_SUFFIX}: expected a segment named by a position")
    return sorted(map(int, names))


def encode(records: Iterable[Record], codec: Codec[Record]) -> tuple[int, bytes]:
    """The number of records and their bytes.

    Raises:
        LogError: A record is too large.
    """
    parts: list[bytes] = []
    for record in records:
        payload = codec.to_bytes(record)
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise LogError(f"{codec.name(record)}: expected at most {MAX_PAYLOAD_BYTES} bytes, received {len(payload)}")
        parts += HEADER.pack(len(payload), zlib.crc32(payload)), payload
    return len(parts) // 2, b"".join(parts)


def decode(data: bytes, offset: int = 0) -> Iterator[tuple[int, bytes]]:
    """The payloads of the good records from an offset on, each with the offset behind its record.

    Stops before the first record that is incomplete or does not fit its checksum.
    """
    size = len(data)
    while offset + HEADER.size <= size:
        length, checksum = HEADER.unpack_from(data, offset)
        end = offset + HEADER.size + length
        if not length or end > size:
            return
        payload = data[end - length : end]
        if zlib.crc32(payload) != checksum:
            return
        yield end, payload
        offset = end


def is_torn(rest: bytes) -> bool:
    """Whether what follows the last good record is the trace of a write that a crash cut short.

    It is when no good record comes behind it; otherwise records have been damaged that were whole before.
    """
    reach = MAX_PAYLOAD_BYTES + HEADER.size
    return not any(_has_record(rest[start : start + 2 * reach]) for start in range(0, len(rest), reach))


def _has_record(data: bytes) -> bool:
    """Whether a good record stands at any offset."""
    if len(data) <= HEADER.size:
        return False
    windows = np.lib.stride_tricks.sliding_window_view(np.frombuffer(data, np.uint8), 4)[: len(data) - HEADER.size]
    lengths = windows @ (1 << np.arange(0, 32, 8, dtype=np.int64))
    ends = np.arange(len(lengths)) + HEADER.size + lengths
    offsets = np.flatnonzero((lengths > 0) & (lengths <= MAX_PAYLOAD_BYTES) & (ends <= len(data)))
    return any(True for offset in offsets.tolist() for _ in decode(data, offset))
