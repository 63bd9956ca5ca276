"""The version directories of a model's base path: a number is used once, and a version appears whole or not at all.

Beside the numbers there are only names that a model server ignores: `.versions/N` (an empty file: N was taken),
`.staging-N` (a version being written), `.removed-N` (one being deleted) and `.history` (see `serving.history`).
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

CLAIMS = ".versions"

GRAPH = "saved_model.pb"
"""The file without which a directory is no SavedModel."""

CopyFile = Callable[[str, str], object]


class PublishError(Exception):
    """A version that cannot be published: one line that names the path."""


def versions(base_path: Path) -> list[int]:
    """The numbers of the version directories, ascending; none if the base path does not exist."""
    return _numbers(base_path) if base_path.is_dir() else []


def claim(base_path: Path) -> int:
    """Takes the next number: one more than the highest ever used, also by a version that is gone by now.

    Two publishers cannot take the same: the claim's file is created exclusively.

    Raises:
        PublishError: The base path cannot be written.
    """
    claims = base_path / CLAIMS
    try:
        claims.mkdir(parents=True, exist_ok=True)
        while True:
            version = max([*_numbers(base_path), *_numbers(claims)], default=0) + 1
            try:
                (claims / str(version)).touch(exist_ok=False)
            except FileExistsError:  # Another publisher was faster.
                continue
            _sync(claims)
            return version
    except OSError as error:
        raise PublishError(f"base path {base_path}: cannot be written ({error.strerror})") from error


def place(
    source: Path,
    base_path: Path,
    version: int,
    complete: Callable[[Path], None],
    copy: CopyFile = shutil.copy2,
) -> Path:
    """Copies a model to `base_path/version`, which appears by one rename when all of it is on disk.

    Args:
        source: The SavedModel's directory.
        base_path: The model's base path; the copy is written beside the versions, so on the same file system.
        version: A claimed number.
        complete: Adds what the version needs beyond the copy, given the directory.
        copy: Copies one file.

    Raises:
        PublishError: Something could not be written; nothing is left of the version.
    """
    staging = base_path / f".staging-{version}"
    target = base_path / str(version)
    try:
        shutil.copytree(source, staging, copy_function=copy)
        complete(staging)
        for directory, _, files in os.walk(staging):
            for name in files:
                _sync(Path(directory, name))
            _sync(Path(directory))
        staging.rename(target)
        _sync(base_path)
    except OSError as error:
        raise PublishError(f"{target}: could not be written ({error.strerror or error})") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return target


def remove(base_path: Path, version: int) -> None:
    """Deletes a version; a model server sees it vanish at once, not file by file.

    Raises:
        PublishError: It could not be deleted.
    """
    removed = base_path / f".removed-{version}"
    try:
        (base_path / str(version)).rename(removed)
        shutil.rmtree(removed)
    except FileNotFoundError:  # Another publisher removed it.
        return
    except OSError as error:
        raise PublishError(f"{base_path / str(version)}: could not be removed ({error.strerror or error})") from error


def require_saved_model(directory: Path) -> None:
    """Checks that the files of a SavedModel are there.

    A model server loads a version without variables, lets it replace the good one, and then fails every request.

    Raises:
        PublishError: The directory or one of them is missing.
    """
    if not directory.is_dir():
        raise PublishError(f"{directory}: no such directory; expected a SavedModel")
    for needed in (directory / GRAPH, directory / "variables" / "variables.index"):
        if not needed.is_file():
            raise PublishError(f"{directory}: not a SavedModel, {needed.relative_to(directory)} is missing")


def _numbers(directory: Path) -> list[int]:
    """Names that a model server takes for versions: digits only, leading zeros parsed."""
    return sorted(int(child.name) for child in directory.iterdir() if child.name.isascii() and child.name.isdigit())


def _sync(path: Path) -> None:
    """Puts a file or a directory on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
