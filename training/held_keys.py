"""Held keys: whether a folder with a model knows some users, by their keys, which it keeps as plain int64 numbers."""

import numpy as np
from numpy.typing import NDArray
from pyarrow import fs

from training.data.locations import locate, reachable
from training.storage import Place

_KEY_BYTES = 8
_PIECE_BYTES = 1 << 26

_RUN = "run.json"
"""The file of a run, `training.trained.RUN_FILE`; that module needs TensorFlow."""


def holds_keys(folder: Place, keys: NDArray[np.int64]) -> bool:
    """Whether any file holds one of the keys, wherever in it.

    Vocabularies are variables of a model's bundle and arrays of a run's files; neither is compressed.

    Args:
        folder: A version, or a run; it may be missing.
        keys: int64 [K], ascending.

    Raises:
        DataError: It cannot be reached or read.
    """
    if not len(keys):
        return False
    filesystem, path = locate(str(folder))
    with reachable(str(folder)):
        return _any_holds(filesystem, path, keys)


def remove_runs(folder: Place, keys: NDArray[np.int64]) -> list[str]:
    """Removes the training runs, below a folder, that know one of the keys; nothing serves from them.

    Args:
        folder: Of runs, at any depth.
        keys: As of `holds_keys`.

    Returns:
        The folders that were removed.

    Raises:
        DataError: They cannot be reached, read or removed.
    """
    filesystem, path = locate(str(folder))
    with reachable(str(folder)):
        found = filesystem.get_file_info(fs.FileSelector(path, recursive=True))
        runs = sorted(item.path.removesuffix(f"/{_RUN}") for item in found if item.base_name == _RUN)
        held = [run for run in runs if len(keys) and _any_holds(filesystem, run, keys)]
        for run in held:
            filesystem.delete_dir(run)
    return held


def _any_holds(filesystem: fs.FileSystem, path: str, keys: NDArray[np.int64]) -> bool:
    found = filesystem.get_file_info(fs.FileSelector(path, allow_not_found=True, recursive=True))
    return any(_holds(filesystem, item.path, keys) for item in found if item.type == fs.FileType.File)


def _holds(filesystem: fs.FileSystem, path: str, keys: NDArray[np.int64]) -> bool:
    data = b""
    with filesystem.open_input_stream(path) as file:
        while piece := file.read(_PIECE_BYTES):
            data = data[1 - _KEY_BYTES :] + piece  # A key may lie across two pieces.
            for offset in range(min(_KEY_BYTES, len(data))):
                numbers = np.frombuffer(data, "<i8", (len(data) - offset) // _KEY_BYTES, offset)
                at = np.minimum(np.searchsorted(keys, numbers), len(keys) - 1)
                if (keys[at] == numbers).any():
                    return True
    return False
