"""A model's base path, wherever it lies: locally by `serving.versions`, elsewhere by `training.remote_versions`."""

import shutil
from collections.abc import Callable
from pathlib import Path

from serving import history
from serving import versions as local_versions
from serving.history import Entry
from serving.versions import CopyFile
from training import remote_versions
from training.storage import Place, Remote


def versions(base_path: Place) -> list[int]:
    """The numbers of the versions, ascending; none if the base path does not exist.

    Raises:
        PublishError: The base path cannot be reached.
    """
    return remote_versions.versions(base_path) if isinstance(base_path, Remote) else local_versions.versions(base_path)


def claim(base_path: Place) -> int:
    """Takes the next number, which nobody else gets, and nobody got before.

    Raises:
        PublishError: The base path cannot be written.
    """
    return remote_versions.claim(base_path) if isinstance(base_path, Remote) else local_versions.claim(base_path)


def place(
    source: Path, base_path: Place, version: int, complete: Callable[[Path], None], copy: CopyFile = shutil.copy2
) -> Place:
    """Puts a model into `base_path/version`, as a whole; arguments as of `serving.versions.place`.

    Raises:
        PublishError: Something could not be written; nothing is left of the version.
    """
    if isinstance(base_path, Remote):
        return remote_versions.place(source, base_path, version, complete, copy)
    return local_versions.place(source, base_path, version, complete, copy)


def note(base_path: Place, entry: Entry) -> None:
    """Adds an entry to the model's history.

    Raises:
        PublishError: It cannot be written.
    """
    if isinstance(base_path, Remote):
        remote_versions.note(base_path, entry)
    else:
        history.note(base_path, entry)


def remove(base_path: Place, version: int) -> None:
    """Deletes a version.

    Raises:
        PublishError: It could not be deleted.
    """
    if isinstance(base_path, Remote):
        remote_versions.remove(base_path, version)
    else:
        local_versions.remove(base_path, version)
