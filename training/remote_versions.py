"""The version directories of a base path on HDFS or in an object store, under the rules of `serving.versions`.

On HDFS a version appears by one rename. An object store has no rename: there `saved_model.pb` comes last, without which
no model server loads a version, and none that lacks it counts as one here. A claim is `.versions/N/` and in it a name
of its own, as files cannot be created exclusively everywhere.
"""

import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
from pyarrow import fs

from serving.history import HISTORY, Entry
from serving.versions import CLAIMS, GRAPH, CopyFile, PublishError
from training.data.errors import DataError
from training.data.locations import first_line, locate
from training.storage import Mirrored, Remote, stored

_TRIES = 100
_LONGEST_WAIT_MS = 500


def versions(base_path: Remote) -> list[int]:
    """The numbers of the version directories that are whole, ascending; none if the base path does not exist.

    Raises:
        PublishError: The base path cannot be reached.
    """
    with _told(f"base path {base_path}: cannot be read"):
        filesystem, path = locate(str(base_path))
        numbers = {int(name): f"{path}/{name}/{GRAPH}" for name in _children(filesystem, path) if _is_number(name)}
        graphs = filesystem.get_file_info(list(numbers.values())) if numbers else []
        return sorted(number for number, graph in zip(numbers, graphs, strict=True) if graph.type == fs.FileType.File)


def claim(base_path: Remote) -> int:
    """Takes the next number, as `serving.versions.claim` does.

    Of those who claim a number at the same time each sees the others, who wrote before they looked, and all leave it:
    a number is taken by one at most.

    Raises:
        PublishError: The base path cannot be written, or others were in the way every time.
    """
    with _told(f"base path {base_path}: cannot be written"):
        filesystem, path = locate(str(base_path))
        claims, own = f"{path}/{CLAIMS}", secrets.token_hex(8)
        for _ in range(_TRIES):
            names = [*_children(filesystem, path), *_children(filesystem, claims)]
            version = max((int(name) for name in names if _is_number(name)), default=0) + 1
            with filesystem.open_output_stream(f"{claims}/{version}/{own}"):
                pass
            if _children(filesystem, f"{claims}/{version}") == [own]:
                return version
            time.sleep(secrets.randbelow(_LONGEST_WAIT_MS) / 1000)
    raise PublishError(
        f"base path {base_path}: expected a number that nobody else takes, received none in {_TRIES} tries"
    )


def place(
    source: Path,
    base_path: Remote,
    version: int,
    complete: Callable[[Path], None],
    copy: CopyFile = shutil.copy2,
) -> Remote:
    """Puts a model into `base_path/version`; arguments as of `serving.versions.place`.

    Raises:
        PublishError: Something could not be written; nothing is left of the version.
    """
    target = base_path / str(version)
    written = base_path / f".staging-{version}" if base_path.renames else target
    with TemporaryDirectory(prefix="onair-") as folder, _told(f"{target}: could not be written"):
        local = Path(folder) / str(version)
        shutil.copytree(source, local, copy_function=copy)
        complete(local)
        try:
            Mirrored(written, local).store()
            if written != target:
                filesystem, path = locate(str(written))
                filesystem.move(path, locate(str(target))[1])
        except BaseException:
            _delete(written)
            raise
    return target


def note(base_path: Remote, entry: Entry) -> None:
    """Adds an entry to the model's history, as `serving.history.note` does.

    Raises:
        PublishError: It cannot be written.
    """
    target = base_path / HISTORY / entry.file_name()
    with _told(f"{target}: cannot be written"), stored(target) as path:
        entry.write(path)


def remove(base_path: Remote, version: int) -> None:
    """Deletes a version; a model server sees it vanish at once, or without the file that it would load first.

    Raises:
        PublishError: It could not be deleted.
    """
    target = base_path / str(version)
    with _told(f"{target}: could not be removed"):
        filesystem, path = locate(str(target))
        if filesystem.get_file_info(path).type == fs.FileType.NotFound:  # Another publisher removed it.
            return
        removed = base_path / f".removed-{version}" if base_path.renames else target
        if removed != target:
            filesystem.move(path, locate(str(removed))[1])
        _delete(removed)


def _delete(folder: Remote) -> None:
    """Deletes a version directory, the file first without which it is none."""
    filesystem, path = locate(str(folder))
    if filesystem.get_file_info(f"{path}/{GRAPH}").type == fs.FileType.File:
        filesystem.delete_file(f"{path}/{GRAPH}")
    if filesystem.get_file_info(path).type == fs.FileType.Directory:
        filesystem.delete_dir(path)


def _children(filesystem: fs.FileSystem, path: str) -> list[str]:
    if filesystem.get_file_info(path).type != fs.FileType.Directory:
        return []
    return [item.base_name for item in filesystem.get_file_info(fs.FileSelector(path))]


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit()


@contextmanager
def _told(trouble: str) -> Iterator[None]:
    """Says what was the trouble with the storage.

    Raises:
        PublishError: Instead of the storage's own errors.
    """
    try:
        yield
    except (DataError, pa.ArrowException, OSError, RuntimeError) as error:
        raise PublishError(f"{trouble} ({first_line(error)})") from error
