"""Places: all files below a path or URI, looked into one by one."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from pyarrow import fs

from training.data.errors import DataError
from training.data.locations import first_line, locate, reachable
from training.scan.contents import KEPT, ClosedError, in_tables, look_into
from training.scan.marks import Marks

_WRITE_AHEAD = "-wal"
_SHARED_MEMORY = "-shm"


@dataclass(frozen=True, slots=True)
class Found:
    """Something that was found, or could not be looked for.

    Attributes:
        place: The file, or the key of a store.
        what: "id" and "key" as they were found, or why nobody can tell.
    """

    place: str
    what: str


@dataclass(slots=True)
class Scan:
    """What a scan has found so far.

    Attributes:
        looked_into: Files and values.
        found: Where the user stands.
        kept: Where the key stands for good: so that the user stays out, or to tell who looked at the user.
        closed: What could not be looked into, and why.
    """

    looked_into: int
    found: list[Found]
    kept: list[Found]
    closed: list[Found]

    @classmethod
    def new(cls) -> "Scan":
        """Nothing so far."""
        return cls(0, [], [], [])

    def note(self, place: str, what: set[str]) -> None:
        """Notes what a place holds, which may be nothing."""
        self.looked_into += 1
        if what & {KEPT}:
            self.kept.append(Found(place, "key"))
        if told := sorted(what - {KEPT}):
            self.found.append(Found(place, ", ".join(told)))


def scan_files(marks: Marks, uri: str, scan: Scan) -> None:
    """Looks into a file, or all files below a folder; of a database, through its write-ahead log.

    Raises:
        DataError: There is nothing, or it cannot be reached.
    """
    filesystem, path = locate(uri)
    with reachable(uri):
        found = filesystem.get_file_info(path)
        if found.type == fs.FileType.NotFound:
            raise DataError(f"{uri}: expected a file or a folder to look into, found none")
        items = [found] if found.type == fs.FileType.File else _below(filesystem, path)
    for item in items:
        try:
            scan.note(item.path, _look(marks, filesystem, item))
        except FileNotFoundError:  # Exchanged or removed meanwhile.
            continue
        except ClosedError as error:
            scan.closed.append(Found(item.path, str(error)))
        except (OSError, sqlite3.Error) as error:
            scan.closed.append(Found(item.path, first_line(error)))


def _below(filesystem: fs.FileSystem, path: str) -> Iterator[fs.FileInfo]:
    items = filesystem.get_file_info(fs.FileSelector(path, recursive=True))
    return (item for item in sorted(items, key=lambda item: item.path) if item.type == fs.FileType.File)


def _look(marks: Marks, filesystem: fs.FileSystem, item: fs.FileInfo) -> set[str]:
    database = Path(item.path.removesuffix(_SHARED_MEMORY).removesuffix(_WRITE_AHEAD))
    if str(database) != item.path and isinstance(filesystem, fs.LocalFileSystem) and database.exists():
        return _beside(marks, item, database)
    with filesystem.open_input_stream(item.path) as file:
        return look_into(marks, item.base_name, file.read())


def _beside(marks: Marks, item: fs.FileInfo, database: Path) -> set[str]:
    """What a database's write-ahead log holds: in rows as they are by now, and as text in all that it ever wrote."""
    if item.path.endswith(_SHARED_MEMORY):
        return set()  # Numbers of pages.
    held = {"id"} if marks.user_id.encode() in Path(item.path).read_bytes() else set[str]()
    with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        return held | in_tables(marks, connection)
