"""Folders and files on HDFS and in object stores, for what reads and writes local files only: copied there and back."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from urllib.parse import unquote, urlsplit, urlunsplit

from pyarrow import fs

from training.data.locations import locate, reachable

_COPY_BYTES = 1 << 20

_FINISHING = {"checkpoint", "history.json", "saved_model.pb"}
"""Files that say that others are whole: of a checkpoint, a training run, a SavedModel."""


@dataclass(frozen=True, slots=True)
class Remote:
    """A place on HDFS or in an object store.

    Attributes:
        uri: As `training.data.locations.locate` takes it.
    """

    uri: str

    def __str__(self) -> str:
        return self.uri

    def __truediv__(self, name: str) -> "Remote":
        parts = urlsplit(self.uri)  # What follows a question mark is for the file system and stays behind the path.
        return Remote(urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{name}")))

    @property
    def name(self) -> str:
        """The last part of its path."""
        return PurePosixPath(urlsplit(self.uri).path).name

    @property
    def parent(self) -> "Remote":
        """The folder that it lies in."""
        parts = urlsplit(self.uri)
        return Remote(urlunsplit(parts._replace(path=str(PurePosixPath(parts.path).parent))))

    @property
    def renames(self) -> bool:
        """Whether a rename is one step there, as on HDFS; in an object store it is a copy of every file."""
        return urlsplit(self.uri).scheme == "hdfs"


Place = Path | Remote
"""Where a folder or file lies; both know `/ name`, `name`, `parent` and `str()`."""


def place(text: str) -> Place:
    """Reads an argument: a plain path or `file://` is local, any other URI is not."""
    if "://" not in text:
        return Path(text)
    parts = urlsplit(text)
    return Path(unquote(parts.path)) if parts.scheme == "file" else Remote(text)


@contextmanager
def fetched(source: Place) -> Iterator[Path]:
    """A file or folder to read, as a local path: itself, or a copy that is gone after the block.

    Where there is nothing, there is none at the local path either. Errors of the block name the source, not the copy.

    Raises:
        DataError: It cannot be reached or read.
    """
    if isinstance(source, Path):
        yield source
        return
    with _copied(source) as local, _named(local, source):
        yield local


@contextmanager
def stored(target: Place) -> Iterator[Path]:
    """Where to make a file or folder: a local path that is stored, file by file, when the block ends well.

    A folder that is there already is there for the block too, but empty: what must not be overwritten can be refused.

    Raises:
        DataError: It cannot be reached or written.
    """
    if isinstance(target, Path):
        yield target
        return
    with TemporaryDirectory(prefix="onair-") as folder:
        local = Path(folder) / target.name
        filesystem, path = locate(str(target))
        with reachable(str(target)):
            if filesystem.get_file_info(path).type == fs.FileType.Directory:
                local.mkdir()
        with _named(local, target):
            yield local
        Mirrored(target, local).store()


@contextmanager
def kept(folder: Place) -> Iterator[tuple[Path, Callable[[], None]]]:
    """A folder to go on in, as a local path, and what stores its present state; it is stored after the block, too.

    A block that fails leaves there what it has made, as it would in a local folder.

    Raises:
        DataError: It cannot be reached, read or written.
    """
    if isinstance(folder, Path):
        yield folder, lambda: None
        return
    with _copied(folder) as local:
        mirrored = Mirrored(folder, local, known=True)
        try:
            with _named(local, folder):
                yield local, mirrored.store
        finally:
            mirrored.store()


class Mirrored:
    """A local file or folder and the place that follows it."""

    def __init__(self, target: Remote, local: Path, *, known: bool = False) -> None:
        """Compares nothing yet.

        Args:
            target: The place.
            local: What it is to be like.
            known: Whether it is so already.
        """
        self._target, self._local = target, local
        self._filesystem, self._path = locate(str(target))
        self._there = self._files() if known else {}

    def store(self) -> None:
        """Writes what changed, last the files that say that others are whole, and then removes what is gone here.

        So a copy that breaks off is like work that broke off.

        Raises:
            DataError: The place cannot be reached or written.
        """
        files = self._files()
        changed = [name for name in files if files[name] != self._there.get(name)]
        with reachable(str(self._target)):
            for name in sorted(changed, key=lambda name: (PurePosixPath(name).name in _FINISHING, files[name], name)):
                self._put(name)
            for name in self._there.keys() - files.keys():
                self._filesystem.delete_file(self._path + name)
        self._there = files

    def _files(self) -> dict[str, tuple[int, int]]:
        """When each file was written (ns) and its size, by what follows the path: `/name`, nothing of a single file."""
        files = [self._local] if self._local.is_file() else [path for path in self._local.rglob("*") if path.is_file()]
        states = {path: path.stat() for path in files}
        prefix = len(str(self._local))
        return {str(path)[prefix:]: (state.st_mtime_ns, state.st_size) for path, state in states.items()}

    def _put(self, name: str) -> None:
        """Writes a file, which appears under its name when it is whole."""
        path = self._path + name
        folder, _, last = path.rpartition("/")
        unfinished = f"{folder}/_{last}.unfinished" if self._target.renames else path
        with Path(f"{self._local}{name}").open("rb") as source, self._filesystem.open_output_stream(unfinished) as sink:
            shutil.copyfileobj(source, sink, _COPY_BYTES)
        if unfinished != path:
            if self._filesystem.get_file_info(path).type != fs.FileType.NotFound:
                self._filesystem.delete_file(path)
            self._filesystem.move(unfinished, path)


@contextmanager
def _copied(source: Remote) -> Iterator[Path]:
    """A local copy of a file or folder; none where there is none."""
    filesystem, path = locate(str(source))
    with TemporaryDirectory(prefix="onair-") as folder:
        local = Path(folder) / source.name
        with reachable(str(source)):
            found = filesystem.get_file_info(path)
            if found.type == fs.FileType.File:
                _get(filesystem, path, local)
            elif found.type == fs.FileType.Directory:
                local.mkdir(exist_ok=True)
                for item in filesystem.get_file_info(fs.FileSelector(path, recursive=True)):
                    if item.type == fs.FileType.File:
                        _get(filesystem, item.path, local / item.path.removeprefix(f"{path.rstrip('/')}/"))
        yield local


def _get(filesystem: fs.FileSystem, path: str, local: Path) -> None:
    local.parent.mkdir(parents=True, exist_ok=True)
    with filesystem.open_input_stream(path) as source, local.open("wb") as sink:
        shutil.copyfileobj(source, sink, _COPY_BYTES)


@contextmanager
def _named(local: Path, place: Remote) -> Iterator[None]:
    """Lets errors speak of the place where they would speak of its local copy."""
    try:
        yield
    except Exception as error:
        error.args = tuple(arg.replace(str(local), str(place)) if isinstance(arg, str) else arg for arg in error.args)
        if isinstance(error, OSError) and isinstance(error.filename, str | Path):
            error.filename = str(error.filename).replace(str(local), str(place))
        raise
