"""The manifest of a published version: where the model comes from and what it was worth."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

from serving.versions import PublishError

MANIFEST_FILE = Path("assets.extra", "manifest.json")


@dataclass(frozen=True, slots=True)
class Provenance:
    """What the trainer knows of a model.

    Attributes:
        data_from_ms: Start of the training data, Unix milliseconds.
        data_until_ms: Its end, exclusive.
        metrics: Of the evaluation, by name ("enter.auc"); None where undefined.
        catalogue_hash: Of the feature catalogue that computed the samples.
        git_revision: Of the code, as git names it.
    """

    data_from_ms: int
    data_until_ms: int
    metrics: Mapping[str, float | None]
    catalogue_hash: str
    git_revision: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """A version's own record, `assets.extra/manifest.json`.

    Attributes:
        name: The model's.
        version: The version's number.
        created: When it was published, ISO 8601, UTC.
        parent: The version that this content replaced when it was first published; None of the first. A rollback
            without a target goes there.
        rollback_of: The version whose content this is again; None of a new model.
        tensorflow: The TensorFlow that wrote the SavedModel.
        provenance: Where the content comes from.
    """

    name: str
    version: int
    created: str
    parent: int | None
    rollback_of: int | None
    tensorflow: str
    provenance: Provenance

    def write(self, directory: Path) -> None:
        """Writes the manifest into a version directory."""
        path = directory / MANIFEST_FILE
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=2, allow_nan=False) + "\n", encoding="utf-8")


def created_now() -> str:
    """The time of now as manifests hold it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def read_manifest(directory: Path) -> Manifest:
    """Reads the manifest of a version directory.

    Raises:
        PublishError: There is none, or it is not one.
    """
    path = directory / MANIFEST_FILE
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return Manifest(**values | {"provenance": Provenance(**values["provenance"])})
    except FileNotFoundError:
        raise PublishError(f"{path}: no such file; the version was not published by this tool") from None
    except (ValueError, TypeError, KeyError) as error:
        expected = ", ".join(field.name for field in fields(Manifest))
        raise PublishError(f"{path}: expected a manifest ({expected}), received {error}") from error
