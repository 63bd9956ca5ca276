"""The model store as a service sees it: manifests, history and rollbacks of what lies in a local or mounted folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from serving.history import Entry, read_history
from serving.manifest import Manifest, read_manifest
from serving.rollback import roll_back
from serving.versions import PublishError, versions


class StoreUnknownError(Exception):
    """The folder of the models is not known, or cannot be read: one line that says so."""


@dataclass(frozen=True, slots=True)
class StoredModel:
    """What the store knows of a model.

    Attributes:
        manifests: Of its versions by number; None = a version without a readable one.
        history: Newest first.
    """

    manifests: dict[int, Manifest | None]
    history: Sequence[Entry]


class ModelStore:
    """Reads the folder anew at every question; the trainers write it."""

    def __init__(self, folder: str) -> None:
        """Reads nothing yet.

        Args:
            folder: Of the models' base paths; empty = not known.
        """
        self._folder = folder

    def models(self) -> dict[str, StoredModel]:
        """The models by name.

        Raises:
            StoreUnknownError: There is no folder, or it cannot be read.
        """
        base_paths = self._base_paths()
        try:
            return {name: _stored(path) for name, path in base_paths.items()}
        except OSError as error:
            raise StoreUnknownError(f"models.folder: cannot be read ({error.strerror})") from None

    def roll_back(self, model: str, version: int) -> int:
        """Publishes an old version's content again.

        Args:
            model: One that lies in the folder; no other name becomes a path.
            version: Whose content should serve again.

        Returns:
            The new version.

        Raises:
            StoreUnknownError: There is no folder, or it cannot be read.
            PublishError: There is no such model or version, or nothing could be published.
        """
        base_paths = self._base_paths()
        if model not in base_paths:
            known = ", ".join(base_paths) or "none, for nothing is published"
            raise PublishError(f"model: expected one of {known}, received {model[:40]!r}")
        return roll_back(base_paths[model], model, version).version

    def _base_paths(self) -> dict[str, Path]:
        if not self._folder:
            raise StoreUnknownError("models.folder: expected the folder of the models' base paths, received none")
        try:
            folders = sorted(path for path in Path(self._folder).iterdir() if path.is_dir())
        except OSError as error:
            raise StoreUnknownError(f"models.folder: cannot be read ({error.strerror})") from None
        return {path.name: path for path in folders if not path.name.startswith(".")}


def _stored(base_path: Path) -> StoredModel:
    manifests = {version: _manifest(base_path / str(version)) for version in versions(base_path)}
    return StoredModel(manifests, read_history(base_path))


def _manifest(directory: Path) -> Manifest | None:
    try:
        return read_manifest(directory)
    except PublishError:
        return None
