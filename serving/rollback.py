"""Rollback: an old version's content under the next number, since versions only ever move up."""

from dataclasses import replace
from pathlib import Path

from serving.history import Entry, EntryKind, happened, note
from serving.manifest import Manifest, created_now, read_manifest
from serving.versions import PublishError, claim, place, require_saved_model, versions


def roll_back(base_path: Path, name: str, to: int) -> Manifest:
    """Publishes an old version again, with a manifest that says so; the model servers find it by themselves.

    Args:
        base_path: Of the model, on a local disk.
        name: Of the model.
        to: The version whose content should serve again.

    Returns:
        The manifest of the new version.

    Raises:
        PublishError: There is no such version, or nothing could be published.
    """
    require_version(base_path, versions(base_path), to)
    source = base_path / str(to)
    old = content_of(source, name)
    manifest = again(old, claim(base_path))
    place(source, base_path, manifest.version, manifest.write)
    note(base_path, rolled_back(manifest))
    return manifest


def require_version(base_path: object, existing: list[int], wanted: int) -> None:
    """Checks that a version is there.

    Raises:
        PublishError: It is not; the message names `base_path`.
    """
    if wanted not in existing:
        there = ", ".join(map(str, existing)) or "none"
        raise PublishError(f"base path {base_path}: expected one of the versions {there}, received {wanted}")


def content_of(directory: Path, name: str) -> Manifest:
    """The manifest of a version directory from which a model can be published again.

    Raises:
        PublishError: It is no SavedModel, or another model's.
    """
    require_saved_model(directory)
    manifest = read_manifest(directory)
    if manifest.name != name:
        raise PublishError(f"{directory}: expected a version of {name}, received one of {manifest.name}")
    return manifest


def again(old: Manifest, version: int) -> Manifest:
    """The manifest of old content under a new number."""
    return replace(old, version=version, created=created_now(), rollback_of=old.version)


def rolled_back(manifest: Manifest) -> Entry:
    """The history's entry of a rollback."""
    return happened(EntryKind.ROLLED_BACK, manifest.version, [f"content of version {manifest.rollback_of}"])
