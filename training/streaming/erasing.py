"""Erasure in samples by the hour: what tells of users who were erased leaves hours that are over, as new revisions."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyarrow import fs

from training.data.hours import Revision, hours_in, newest_revision, remove_revisions, revision_name
from training.data.locations import locate, reachable
from training.data.sample_reader import ABOUT
from training.streaming.hourly_samples import COVERS

Tables = dict[str, pa.Table]


def erase_users(uri: str | Path, users: Iterable[int], before: int) -> list[int]:
    """Writes the hours that tell of some users anew without them, and removes what was there.

    Who reads such an hour meanwhile has to read it again.

    Args:
        uri: The samples' folder.
        users: Keys of the users.
        before: Hours from this one on (since the Unix epoch) are left to their writer.

    Returns:
        The hours that were written anew.

    Raises:
        DataError: The samples cannot be read or written.
    """
    filesystem, folder = locate(uri)
    erased, changed = np.fromiter(users, np.int64), list[int]()
    with reachable(uri):
        for hour in hours_in(filesystem, folder):
            held = newest_revision(filesystem, folder, hour, ABOUT) if hour < before else None
            if held is None:
                continue
            tables = _read(filesystem, held.path)
            if any(_of(table, erased).any() for table in tables.values()):
                _write(filesystem, folder, held, _without(tables, erased))
                remove_revisions(filesystem, folder, hour, lambda number, last=held.number: number > last)
                changed.append(hour)
    return changed


def _read(filesystem: fs.FileSystem, path: str) -> Tables:
    """The shards of a revision that tell of viewers, by name, in the order of their rows."""
    names = sorted(item.base_name for item in filesystem.get_file_info(fs.FileSelector(path)))
    return {
        name: pq.read_table(f"{path}/{name}", filesystem=filesystem)
        for name in names
        if name.partition("-")[0] in ("slates", "candidates", "enters")
    }


def _of(table: pa.Table, users: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which rows are of some users, bool [rows]; none of a table that names no user."""
    named = "user" in table.column_names
    return np.isin(table["user"].to_numpy(), users) if named else np.zeros(table.num_rows, np.bool_)


def _without(tables: Tables, users: NDArray[np.int64]) -> Tables:
    """Tables without some users' rows, and without the candidates of their slates."""
    slates = [~_of(table, users) for name, table in tables.items() if name.startswith("slates")]
    keep = np.concatenate([np.zeros(0, np.bool_), *slates])
    place = (np.cumsum(keep) - 1).astype(np.int32)
    kept: Tables = {}
    for name, table in tables.items():
        if name.startswith("candidates"):
            slate = table["slate"].to_numpy()
            at = table.column_names.index("slate")
            table = table.set_column(at, "slate", pa.array(place[slate])).filter(pa.array(keep[slate]))
        kept[name] = table.filter(pa.array(~_of(table, users)))
    return kept


def _write(filesystem: fs.FileSystem, folder: str, held: Revision, tables: Tables) -> None:
    """Writes the revision behind another one: these tables, and the rest of its files."""
    path = f"{folder}/{revision_name(held.hour, held.number + 1)}"
    filesystem.create_dir(path, recursive=True)
    for item in filesystem.get_file_info(fs.FileSelector(held.path)):
        if item.base_name not in {*tables, ABOUT, COVERS}:
            fs.copy_files(item.path, f"{path}/{item.base_name}", filesystem, filesystem)
    for name, table in tables.items():
        with filesystem.open_output_stream(f"{path}/{name}") as file:
            pq.write_table(table, file, compression="zstd", use_dictionary=False, write_statistics=False)
    _change(filesystem, held.path, path, COVERS, {"number": held.number + 1})
    counts = {
        kind: sum(table.num_rows for name, table in tables.items() if name.startswith(kind))
        for kind in ("slates", "candidates")
    }
    _change(filesystem, held.path, path, ABOUT, counts)  # Without it the revision is unfinished.


def _change(filesystem: fs.FileSystem, source: str, target: str, name: str, fields: Mapping[str, Any]) -> None:
    """Copies a JSON object with other values of some fields."""
    with filesystem.open_input_file(f"{source}/{name}") as file:
        held = json.loads(file.read())
    with filesystem.open_output_stream(f"{target}/{name}") as file:
        file.write((json.dumps({**held, **fields}, indent=2) + "\n").encode())
