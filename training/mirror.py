"""Mirror: keeps local base paths like those on HDFS or in an object store, for servers that read local files only."""

from dataclasses import dataclass
from pathlib import Path

from pyarrow import fs

from serving import versions as local_versions
from training import base_path as base_paths
from training.data.locations import locate, reachable
from training.storage import Place, fetched


@dataclass(frozen=True, slots=True)
class Change:
    """What became different in a local base path.

    Attributes:
        model: The model's name.
        added: Versions that were brought.
        removed: Versions that are gone.
    """

    model: str
    added: tuple[int, ...]
    removed: tuple[int, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed)

    def __str__(self) -> str:
        parts = {"brought": self.added, "removed": self.removed}
        said = ", ".join(f"{verb} {', '.join(map(str, numbers))}" for verb, numbers in parts.items() if numbers)
        return f"{self.model}: {said or 'as it was'}"


def models_in(folder: Place) -> list[str]:
    """The names of the models whose base paths lie in a folder.

    Raises:
        DataError: The folder is not there, or cannot be reached.
    """
    filesystem, path = locate(str(folder))
    with reachable(str(folder)):
        found = filesystem.get_file_info(fs.FileSelector(path))
    return sorted(item.base_name for item in found if item.type == fs.FileType.Directory)


def mirror(source: Place, target: Path) -> Change:
    """Brings the versions that a base path has more, each as a whole, and then removes those that it has no longer.

    Args:
        source: The base path that is followed.
        target: The base path that model servers read.

    Raises:
        PublishError: One of them cannot be reached, read or written.
        DataError: A version cannot be read.
    """
    there, here = base_paths.versions(source), local_versions.versions(target)
    added = tuple(number for number in there if number not in here and _brought(source, number, target))
    removed = tuple(number for number in here if number not in there)
    for number in removed:
        local_versions.remove(target, number)
    return Change(source.name, added, removed)


def _brought(source: Place, number: int, target: Path) -> bool:
    """Brings one version; not if it was removed meanwhile, as then not all of it may have come."""
    with fetched(source / str(number)) as version:
        if number not in base_paths.versions(source):
            return False
        local_versions.place(version, target, number, lambda _: None)
        return True
