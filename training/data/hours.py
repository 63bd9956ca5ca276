"""Hours: a sample set in parts, a folder an hour, and in it a folder with a finished set a revision.

    samples/hour=2026-11-27T17/r0001/about.json, slates-00000.parquet, …
    samples/hour=2026-11-27T17/r0002/…                                      ← the newest finished one counts

A revision is never changed, and is finished when its description is there, which is written last. So a correction is
whole or not there, on any file system, and a reader never meets half of it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from pyarrow import fs

HOUR_MS = 3_600_000

_HOUR = "hour=%Y-%m-%dT%H"
_REVISION = "r{:04d}"


@dataclass(frozen=True, slots=True)
class Revision:
    """A finished revision of an hour.

    Attributes:
        hour: Hours since the Unix epoch.
        number: Counts from 1.
        path: Its folder.
    """

    hour: int
    number: int
    path: str


def hour_name(hour: int) -> str:
    """The name of an hour's folder, in UTC."""
    return datetime.fromtimestamp(hour * HOUR_MS / 1000, UTC).strftime(_HOUR)


def revision_name(hour: int, number: int) -> str:
    """The folder of a revision within the set."""
    return f"{hour_name(hour)}/{_REVISION.format(number)}"


def hours_in(filesystem: fs.FileSystem, folder: str) -> list[int]:
    """The hours that have a folder, ascending; none in a set that is one whole."""
    found = (_hour_of(item.base_name) for item in _folders(filesystem, folder))
    return sorted(hour for hour in found if hour is not None)


def newest_revision(filesystem: fs.FileSystem, folder: str, hour: int, about: str) -> Revision | None:
    """The newest finished revision of an hour.

    Args:
        filesystem: Where the set is.
        folder: The set.
        hour: Hours since the Unix epoch.
        about: Name of the file that a finished set has.
    """
    for number in sorted(_numbers(filesystem, folder, hour), reverse=True):
        path = f"{folder}/{revision_name(hour, number)}"
        if filesystem.get_file_info(f"{path}/{about}").type == fs.FileType.File:
            return Revision(hour, number, path)
    return None


def remove_revisions(filesystem: fs.FileSystem, folder: str, hour: int, keep: Callable[[int], bool]) -> None:
    """Removes the revisions of an hour whose numbers are not to be kept."""
    for number in _numbers(filesystem, folder, hour):
        if not keep(number):
            filesystem.delete_dir(f"{folder}/{revision_name(hour, number)}")


def remove_hours(filesystem: fs.FileSystem, folder: str, before: int, about: str) -> None:
    """Removes the hours before one; their revisions are unfinished first, so that nobody takes half of one for whole.

    Args:
        filesystem: Where the set is.
        folder: The set.
        before: Hours since the Unix epoch.
        about: Name of the file that a finished set has.
    """
    for hour in hours_in(filesystem, folder):
        if hour < before:
            while newest := newest_revision(filesystem, folder, hour, about):
                filesystem.delete_file(f"{newest.path}/{about}")
            filesystem.delete_dir(f"{folder}/{hour_name(hour)}")


def _numbers(filesystem: fs.FileSystem, folder: str, hour: int) -> Iterable[int]:
    names = [item.base_name for item in _folders(filesystem, f"{folder}/{hour_name(hour)}")]
    return [int(name[1:]) for name in names if name[0] == "r" and name[1:].isdecimal()]


def _folders(filesystem: fs.FileSystem, folder: str) -> list[fs.FileInfo]:
    found = filesystem.get_file_info(fs.FileSelector(folder, allow_not_found=True))
    return [item for item in found if item.type == fs.FileType.Directory]


def _hour_of(name: str) -> int | None:
    try:
        start = datetime.strptime(name, _HOUR).replace(tzinfo=UTC)
    except ValueError:
        return None
    return int(start.timestamp()) * 1000 // HOUR_MS
