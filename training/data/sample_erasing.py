"""Erasure in a sample set: its shards without what tells of users who were erased, and a set that is one whole anew."""

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyarrow import fs

from training.data.erased import Erased
from training.data.errors import DataError
from training.data.hours import hours_in
from training.data.locations import locate, reachable
from training.data.sample_reader import ABOUT

_OF_USERS = ("slates", "enters")
"""The kinds of shards whose rows are of a user and a time."""

_NO_CHANGES: Mapping[str, Mapping[str, Any]] = {}


def erase_from_set(uri: str | Path, erased: Erased) -> bool:
    """Writes a set that is one whole anew without some users, beside it, and puts it in its place.

    Where a rename is one step, the set is missing for a moment; in an object store it is unfinished while its files are
    exchanged. Whoever reads it meanwhile has to read it again. What broke off is done when this is called again.

    Returns:
        Whether it told of one of them.

    Raises:
        DataError: It is no finished set, one in parts (their writers erase), or it cannot be read or written.
    """
    filesystem, folder = locate(uri)
    path = PurePosixPath(folder)
    new, old = (str(path.with_name(f".{verb}-{path.name}")) for verb in ("erasing", "erased"))
    with reachable(uri):
        if hours_in(filesystem, folder):
            raise DataError(f"{uri}: expected a set that is one whole, received hours, whose writer erases")
        if not _has(filesystem, f"{folder}/{ABOUT}"):
            if not _has(filesystem, f"{new}/{ABOUT}"):
                raise DataError(f"{uri}: expected a finished sample set, found no {ABOUT} in it")
            _take_place(filesystem, new, folder, old)
        for left in (new, old):
            _remove(filesystem, left)
        if not tells_of(filesystem, folder, erased):
            return False
        copy_without(filesystem, folder, new, erased)
        _take_place(filesystem, new, folder, old)
    return True


def tells_of(filesystem: fs.FileSystem, folder: str, erased: Erased) -> bool:
    """Whether a finished folder of samples tells of one of the users."""
    paths = [f"{folder}/{name}" for name in _names(filesystem, folder) if _kind(name) in _OF_USERS]
    return any(_rows(filesystem, path, erased).any() for path in paths)


def copy_without(
    filesystem: fs.FileSystem,
    source: str,
    target: str,
    erased: Erased,
    changes: Mapping[str, Mapping[str, Any]] = _NO_CHANGES,
) -> None:
    """Copies a finished folder of samples without what tells of some users, a shard at a time.

    Args:
        filesystem: Where both are.
        source: The folder.
        target: A folder that is not there yet.
        erased: The users.
        changes: Fields of its JSON files that are to be others, by the file's name.
    """
    filesystem.create_dir(target, recursive=True)
    names = _names(filesystem, source)
    slates = [~_rows(filesystem, f"{source}/{name}", erased) for name in names if _kind(name) == "slates"]
    keep = np.concatenate([np.zeros(0, np.bool_), *slates])
    counts = {"slates": int(keep.sum()), "candidates": 0, "sampled": 0}
    for name in names:
        path = f"{source}/{name}"
        if _kind(name) in _OF_USERS:
            kept = _table(filesystem, path).filter(pa.array(~_rows(filesystem, path, erased)))
            _write(filesystem, f"{target}/{name}", kept)
        elif _kind(name) == "candidates":
            kept = _of_slates(_table(filesystem, path), keep)
            counts["candidates"] += kept.num_rows
            counts["sampled"] += int(kept["sampled"].to_numpy().sum())
            _write(filesystem, f"{target}/{name}", kept)
        elif name != ABOUT:
            _copy(filesystem, path, f"{target}/{name}", changes.get(name))
    _copy(filesystem, f"{source}/{ABOUT}", f"{target}/{ABOUT}", counts)  # Without it the copy is unfinished.


def _of_slates(table: pa.Table, keep: NDArray[np.bool_]) -> pa.Table:
    """The candidates of the slates that are kept, bool [slates], numbered as these are then."""
    slate = table["slate"].to_numpy()
    place = (np.cumsum(keep) - 1).astype(np.int32)
    at = table.column_names.index("slate")
    return table.set_column(at, "slate", pa.array(place[slate])).filter(pa.array(keep[slate]))


def _rows(filesystem: fs.FileSystem, path: str, erased: Erased) -> NDArray[np.bool_]:
    """Which rows of a shard are of the users, bool [rows]."""
    table = pq.read_table(path, columns=["user", "time_ms"], filesystem=filesystem)
    return erased.rows(table["user"].to_numpy(), table["time_ms"].to_numpy())


def _table(filesystem: fs.FileSystem, path: str) -> pa.Table:
    return pq.read_table(path, filesystem=filesystem)


def _write(filesystem: fs.FileSystem, path: str, table: pa.Table) -> None:
    with filesystem.open_output_stream(path) as file:
        pq.write_table(table, file, compression="zstd", use_dictionary=False, write_statistics=False)


def _copy(filesystem: fs.FileSystem, source: str, target: str, fields: Mapping[str, Any] | None) -> None:
    """Copies a file; a JSON object with other values of some fields."""
    with filesystem.open_input_file(source) as file:
        data = file.read()
    if fields:
        data = (json.dumps({**json.loads(data), **fields}, indent=2) + "\n").encode()
    with filesystem.open_output_stream(target) as file:
        file.write(data)


def _take_place(filesystem: fs.FileSystem, new: str, folder: str, old: str) -> None:
    """Puts a finished folder in the place of another one."""
    if filesystem.type_name == "s3":
        names = [name for name in _names(filesystem, new) if name != ABOUT]
        for name in _names(filesystem, folder):
            filesystem.delete_file(f"{folder}/{name}")
        for name in (*names, ABOUT):
            _copy(filesystem, f"{new}/{name}", f"{folder}/{name}", None)
        _remove(filesystem, new)
        return
    if filesystem.get_file_info(folder).type == fs.FileType.Directory:
        filesystem.move(folder, old)
    filesystem.move(new, folder)
    _remove(filesystem, old)


def _names(filesystem: fs.FileSystem, folder: str) -> list[str]:
    """The files of a folder; the description, without which it is unfinished, first."""
    found = [item.base_name for item in filesystem.get_file_info(fs.FileSelector(folder, allow_not_found=True))]
    return sorted(found, key=lambda name: (name != ABOUT, name))


def _kind(name: str) -> str:
    """Of a shard."""
    return name.partition("-")[0] if name.endswith(".parquet") else ""


def _has(filesystem: fs.FileSystem, path: str) -> bool:
    return filesystem.get_file_info(path).type == fs.FileType.File


def _remove(filesystem: fs.FileSystem, folder: str) -> None:
    if filesystem.get_file_info(folder).type == fs.FileType.Directory:
        filesystem.delete_dir(folder)
