"""Where an event log lies: URIs of local folders, HDFS and S3 as pyarrow filesystems."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pyarrow as pa
from pyarrow import fs

from training.data.errors import DataError

if TYPE_CHECKING:
    from hdfs_native.fsspec import HdfsFileSystem

SCHEMES = ("file", "hdfs", "s3")
_CONNECT_TIMEOUT_S = 10.0
_ANSWER_TIMEOUT_S = 30.0


def locate(uri: str | Path) -> tuple[fs.FileSystem, str]:
    """Resolves a URI.

    Args:
        uri: A plain path, or `file://`, `hdfs://host:port/path` or `s3://bucket/path` (the query part goes to
            pyarrow, as in `s3://bucket/path?endpoint_override=host:port&scheme=http`).

    Returns:
        The filesystem and the path within it.

    Raises:
        DataError: The scheme is unknown, or the package that it needs is not installed.
    """
    text = str(uri)
    if "://" not in text:
        return fs.LocalFileSystem(), str(Path(text).expanduser().absolute())
    scheme = urlsplit(text).scheme
    if scheme not in SCHEMES:
        raise DataError(
            f"{text}: expected a path or one of {', '.join(f'{s}://' for s in SCHEMES)}, received {scheme}://"
        )
    if scheme == "hdfs":
        return _hdfs(text)
    with reachable(text):
        return fs.FileSystem.from_uri(text)


def shards(uri: str | Path) -> tuple[fs.FileSystem, list[str]]:
    """Lists the Parquet files of a log, in order of their names; one file is a log too.

    Names that start with `_` or `.` are somebody's unfinished files and no part of the log.

    Raises:
        DataError: There is no such path, or no Parquet file in it.
    """
    filesystem, path = locate(uri)
    with reachable(uri):
        info = filesystem.get_file_info(path)
        if info.type == fs.FileType.NotFound:
            raise DataError(f"{uri}: expected an event log, found no such file or directory")
        if info.type == fs.FileType.File:
            return filesystem, [path]
        found = filesystem.get_file_info(fs.FileSelector(path, recursive=True))
    files = sorted(f.path for f in found if f.type == fs.FileType.File and _is_shard(f.base_name))
    if not files:
        raise DataError(f"{uri}: expected an event log, found no .parquet file in it")
    return filesystem, files


@contextmanager
def reachable(uri: str | Path) -> Iterator[None]:
    """Names the location in what a filesystem says when it cannot be reached or refuses.

    Raises:
        DataError: Instead of the filesystem's own errors.
    """
    try:
        yield
    except (pa.ArrowException, OSError, RuntimeError) as error:
        raise DataError(f"{uri}: {first_line(error)}") from error


def take_place(filesystem: fs.FileSystem, finished: str, path: str) -> None:
    """Puts a finished file in the place of another one; locally in one step, elsewhere none is there for a moment."""
    if not isinstance(filesystem, fs.LocalFileSystem):  # HDFS renames to no name that is taken.
        filesystem.delete_file(path)
    filesystem.move(finished, path)


def first_line(error: BaseException) -> str:
    """The first line of an error's message, for one-line reports."""
    text = str(error).strip().replace("\\n", "\n")  # HDFS quotes the stack of its Java error.
    return text.splitlines()[0] if text else type(error).__name__


def _is_shard(name: str) -> bool:
    return name.endswith(".parquet") and not name.startswith(("_", "."))


def _hdfs(uri: str) -> tuple[fs.FileSystem, str]:
    try:
        from hdfs_native.fsspec import HdfsFileSystem
    except ImportError as error:
        raise DataError(
            f"{uri}: hdfs:// needs the packages hdfs-native and fsspec (pip install 'onair[hdfs]')"
        ) from error
    parts = urlsplit(uri)
    with reachable(uri):
        if parts.hostname and parts.port:  # The client itself tries for minutes to reach what is not there.
            socket.create_connection((parts.hostname, parts.port), _CONNECT_TIMEOUT_S).close()
        filesystem = HdfsFileSystem(host=parts.hostname, port=parts.port)
        _await_answer(filesystem)
    return fs.PyFileSystem(fs.FSSpecHandler(filesystem)), parts.path


def _await_answer(filesystem: "HdfsFileSystem") -> None:
    """Asks a namenode for something, as the client would wait without end for one that hangs.

    Raises:
        OSError: It does not answer in time.
    """

    def ask() -> None:
        with suppress(Exception):  # What is wrong is said when the filesystem is used.
            filesystem.exists("/")

    asked = threading.Thread(target=ask, daemon=True)
    asked.start()
    asked.join(_ANSWER_TIMEOUT_S)
    if asked.is_alive():
        raise TimeoutError(f"the namenode did not answer within {_ANSWER_TIMEOUT_S:g} s")
