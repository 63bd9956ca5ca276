"""Contents: what a file holds, by its kind, down to what is packed in it."""

import base64
import binascii
import bz2
import gzip
import json
import lzma
import re
import sqlite3
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from feature_service.access.audit import AUDIT_FILE, user_key
from feature_service.erasures import ERASURES_FILE
from feature_service.log.codec import EVENTS, Codec
from feature_service.log.segment import decode
from feature_service.served.slate import SLATES
from training.data.locations import first_line
from training.scan.marks import ID, KEY, Marks
from training.streaming.flink.plan import SUFFIX

KEPT = "kept"
"""The key for good: among the erasures it keeps the user out, in an audit file it tells who looked at the user."""

_UNPACKED: Mapping[bytes, Callable[[bytes], bytes]] = MappingProxyType(
    {b"\x1f\x8b": gzip.decompress, b"BZh": bz2.decompress, b"\xfd7zXZ\x00": lzma.decompress}
)
_CLOSED: Mapping[bytes, str] = MappingProxyType(
    {
        b"\x28\xb5\x2f\xfd": "zstd",
        b"\x04\x22\x4d\x18": "lz4",
        b"\xff\x06\x00\x00sNaPpY": "snappy",
        b"\x89PNG": "PNG",
        b"\xff\xd8\xff": "JPEG",
        b"REDIS0": "a dump of Redis",
    }
)
_TABLES_OF_ROCKSDB = ".sst"
_SEGMENT = re.compile(r"\d{20}\.log")
_STREAMS_OF_ZLIB = re.compile(rb"\x78[\x01\x5e\x9c\xda]")


class ClosedError(ValueError):
    """A file that cannot be looked into; says why."""


def look_into(marks: Marks, name: str, data: bytes) -> set[str]:
    """What a file holds of a user: `ID`, `KEY`, `KEPT`.

    Args:
        marks: Of the user.
        name: The file's.
        data: All of it.

    Raises:
        ClosedError: Its format is one that this does not read, or it is damaged.
    """
    for magic, what in _CLOSED.items():
        if data.startswith(magic):
            raise ClosedError(what)
    if name.endswith(_TABLES_OF_ROCKSDB):
        raise ClosedError("a table of RocksDB")
    try:
        for magic, unpacked in _UNPACKED.items():
            if data.startswith(magic):
                return look_into(marks, name, unpacked(data))
        if name == ERASURES_FILE:
            return _in_erasures(marks, data)
        if name == AUDIT_FILE:
            return _in_audit(marks, data)
        return _reader_of(name, data)(marks, data)
    except (
        pa.ArrowException,
        zipfile.BadZipFile,
        sqlite3.Error,
        OSError,
        ValueError,
        EOFError,
        lzma.LZMAError,
    ) as error:
        if isinstance(error, ClosedError):
            raise
        raise ClosedError(f"damaged: {first_line(error)}") from error


def in_packed(marks: Marks, data: bytes) -> set[str]:
    """What a value of a store holds, and what is compressed in it by zlib."""
    found = marks.in_bytes(data)
    for start in _STREAMS_OF_ZLIB.finditer(data):
        with suppress(zlib.error):
            found |= marks.in_bytes(zlib.decompressobj().decompress(data[start.start() :]))
    return found


def _reader_of(name: str, data: bytes) -> Callable[[Marks, bytes], set[str]]:
    if data.startswith(b"PAR1"):
        return _in_parquet
    if data.startswith(b"PK\x03\x04"):
        return _in_zip
    if data.startswith(b"SQLite format 3\x00"):
        return _in_sqlite
    if data.startswith(b"\x93NUMPY"):
        return _in_npy
    if _SEGMENT.fullmatch(name):
        return _in_segment
    return _in_lines if name.endswith(SUFFIX) else Marks.in_bytes


def _in_erasures(marks: Marks, data: bytes) -> set[str]:
    """The key stays, to keep the user out; the id goes when the logs have been rewritten."""
    found = set[str]()
    for line in data.decode().splitlines():
        held = json.loads(line)
        if held["key"] == marks.key:
            found |= {KEPT, *({ID} if held["user_id"] else ())}
    return found


def _in_audit(marks: Marks, data: bytes) -> set[str]:
    """The key stays in lines that say who looked at the user; it is written in hexadecimal digits there."""
    return marks.in_bytes(data) | ({KEPT} if user_key(marks.user_id).encode() in data else set())


def _in_parquet(marks: Marks, data: bytes) -> set[str]:
    found = set[str]()
    with pq.ParquetFile(BytesIO(data)) as file:
        for text in (file.schema_arrow.metadata or {}).values():
            found |= marks.in_bytes(text)
        for batch in file.iter_batches():
            for column in batch.columns:
                found |= _in_column(marks, column)
    return found


def _in_column(marks: Marks, column: pa.Array) -> set[str]:
    """What stands in a column, in the items of its lists, and in the fields of its structures."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _in_column(marks, column.dictionary)
    if pa.types.is_struct(kind):
        return set[str]().union(*(_in_column(marks, each) for each in column.flatten()))
    if pa.types.is_map(kind):
        return _in_column(marks, column.keys) | _in_column(marks, column.items)
    if pa.types.is_nested(kind):
        return _in_column(marks, column.flatten())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return set[str]().union(*(marks.in_text(text) for text in column.unique().to_pylist() if text))
    if pa.types.is_integer(kind):
        numbers = column.drop_null().to_numpy(zero_copy_only=False)
        same = numbers.astype(np.int64, copy=False) == marks.key  # Unsigned ones of 64 bits wrap around.
        return {KEY} if same.any() else set()
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return set[str]().union(*(in_packed(marks, value) for value in column.to_pylist() if value))
    return set()  # Floats and truths hold neither.


def _in_zip(marks: Marks, data: bytes) -> set[str]:
    found = set[str]()
    with zipfile.ZipFile(BytesIO(data)) as archive:
        for member in archive.namelist():
            found |= look_into(marks, member, archive.read(member))
    return found


def _in_npy(marks: Marks, data: bytes) -> set[str]:
    return marks.in_array(np.load(BytesIO(data), allow_pickle=False))


def _in_sqlite(marks: Marks, data: bytes) -> set[str]:
    """What the rows of all tables hold; freed pages of a service's store hold nothing, as it overwrites them."""
    with TemporaryDirectory(prefix="onair-") as folder:
        path = Path(folder) / "copy"
        # A copy without its write-ahead log is read as one that never had one (format versions 1, at bytes 18 and 19).
        path.write_bytes(data[:18] + b"\x01\x01" + data[20:])
        with closing(sqlite3.connect(path)) as connection:
            return in_tables(marks, connection)


def in_tables(marks: Marks, connection: sqlite3.Connection) -> set[str]:
    """What the rows of all tables of a database hold.

    Raises:
        sqlite3.Error: It cannot be read.
    """
    connection.text_factory = lambda raw: raw.decode(errors="replace")
    found = set[str]()
    names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    for name in names:
        quoted = name.replace('"', '""')
        for row in connection.execute(f'SELECT * FROM "{quoted}"'):  # noqa: S608 - its own table's name.
            for value in row:
                found |= _in_value(marks, value)
    return found


def _in_value(marks: Marks, value: object) -> set[str]:
    if isinstance(value, int):
        return {KEY} if value == marks.key else set()
    if isinstance(value, bytes):
        return in_packed(marks, value)
    return marks.in_text(value) if isinstance(value, str) else set()


def _in_segment(marks: Marks, data: bytes) -> set[str]:
    records = list(decode(data))
    rest = data[records[-1][0] if records else 0 :]  # The trace of a write that was cut short, or damage.
    return marks.in_bytes(rest).union(*(_in_record(marks, payload) for _, payload in records))


def _in_record(marks: Marks, payload: bytes) -> set[str]:
    """What a record of an event log or a served log holds."""
    if marks.user_id.encode() not in payload and not marks.in_bytes(payload):
        return set()
    found = set[str]()
    codecs: tuple[Codec, ...] = (EVENTS, SLATES)
    for codec in codecs:  # A record does not say of which log it is.
        with suppress(Exception):
            found |= marks.in_text(repr(codec.from_bytes(payload)))
    return found | ({KEY} & marks.in_bytes(payload))


def _in_lines(marks: Marks, data: bytes) -> set[str]:
    """What has been put down for Flink and by it: behind a tab stands a record of a log, or arrays, in base64."""
    found = set[str]()
    for line in data.splitlines():
        head, _, packed = line.partition(b"\t")
        found |= marks.in_bytes(head)
        for part in _decoded(packed):
            found |= _in_zip(marks, part) if part.startswith(b"PK\x03\x04") else _in_record(marks, part)
    return found


def _decoded(packed: bytes) -> Iterator[bytes]:
    try:
        yield base64.b64decode(packed, validate=True)
    except binascii.Error as error:
        raise ClosedError(f"no base64: {error}") from error
