"""Publish: puts a SavedModel where the model servers look, as a whole, and waits until they serve it."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from serving.credentials import PLAIN, Credentials
from serving.history import EntryKind, happened
from serving.manifest import Manifest, Provenance, created_now, read_manifest
from serving.rollback import again, content_of, require_version, rolled_back
from serving.versions import CopyFile, PublishError
from training import base_path as base_paths
from training.data.erased import NOBODY, Erased
from training.data.errors import DataError
from training.held_keys import holds_keys
from training.rollout import Outcome, ServerState, await_version
from training.saved_model import meta_graph
from training.storage import Place, fetched
from training.warmup import write_warmup

KEEP = 5
LEAST_KEPT = 2
"""Services move from one version to the next in step, so the model servers must find both."""

TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Published:
    """A version that stands in its base path, and what came of it.

    Attributes:
        manifest: As written into the version.
        path: The version's directory.
        servers: The model servers, in the order given.
        removed: Versions that retention deleted.
        notes: What retention did not do, and why.
    """

    manifest: Manifest
    path: Place
    servers: tuple[ServerState, ...]
    removed: tuple[int, ...]
    notes: tuple[str, ...]

    @property
    def available(self) -> bool:
        """Whether every model server that was named serves the version."""
        return all(server.outcome is Outcome.AVAILABLE for server in self.servers)

    def lines(self) -> list[str]:
        """What happened, a sentence a line."""
        manifest = self.manifest
        origin = f" (content of version {manifest.rollback_of})" if manifest.rollback_of else ""
        said = [f"{manifest.name} version {manifest.version}{origin} is in {self.path}"]
        for server in self.servers:
            detail = f": {server.detail}" if server.detail else ""
            said.append(f"{server.server}: {server.outcome} after {server.waited_s:.1f} s{detail}")
        if self.removed:
            said.append(f"removed: versions {', '.join(map(str, self.removed))}")
        return said + list(self.notes)


def publish(
    saved_model: Path,
    base_path: Place,
    name: str,
    provenance: Provenance,
    *,
    keep: int = KEEP,
    servers: Sequence[str] = (),
    timeout_s: float = TIMEOUT_S,
    credentials: Credentials = PLAIN,
    erased: Erased = NOBODY,
    copy: CopyFile = shutil.copy2,
) -> Published:
    """Publishes a model under the next number, with its manifest and warm-up requests.

    Args:
        saved_model: The SavedModel's directory.
        base_path: Of this model, as in the model servers' configuration; made if missing.
        name: Of the model, as there.
        provenance: For the manifest.
        keep: How many versions to keep, at least 2; what a server still answers with stays, too.
        servers: gRPC addresses of the model servers to wait for.
        timeout_s: How long to wait for them, seconds.
        credentials: By what they are known, and what they know us by.
        erased: Users whose keys no version but the newest two may hold.
        copy: Copies one file.

    Raises:
        PublishError: Nothing was published.
    """
    _check_keep(keep)
    graph = meta_graph(saved_model)
    existing = base_paths.versions(base_path)
    manifest = Manifest(
        name=name,
        version=base_paths.claim(base_path),
        created=created_now(),
        parent=existing[-1] if existing else None,
        rollback_of=None,
        tensorflow=graph.meta_info_def.tensorflow_version,
        provenance=provenance,
    )

    def complete(directory: Path) -> None:
        write_warmup(directory, name, graph.signature_def)
        manifest.write(directory)

    path = base_paths.place(saved_model, base_path, manifest.version, complete, copy)
    base_paths.note(base_path, happened(EntryKind.PUBLISHED, manifest.version))
    states = await_version(servers, name, manifest.version, timeout_s, credentials)
    return _settle(manifest, base_path, path, keep, states, erased)


def rollback(
    base_path: Place,
    name: str,
    to: int | None = None,
    *,
    keep: int = KEEP,
    servers: Sequence[str] = (),
    timeout_s: float = TIMEOUT_S,
    credentials: Credentials = PLAIN,
) -> Published:
    """Publishes an old version's content under the next number: versions only ever move up.

    Args:
        base_path: Of the model.
        name: Of the model.
        to: The version wanted back; the parent of the latest if not given.
        keep: As in `publish`.
        servers: As in `publish`.
        timeout_s: As in `publish`.
        credentials: As in `publish`.

    Raises:
        PublishError: There is no such version, or nothing could be published.
    """
    _check_keep(keep)
    with fetched(base_path / str(_wanted(base_path, to))) as source:
        meta_graph(source)
        manifest = again(content_of(source, name), base_paths.claim(base_path))
        path = base_paths.place(source, base_path, manifest.version, manifest.write)
    base_paths.note(base_path, rolled_back(manifest))
    states = await_version(servers, name, manifest.version, timeout_s, credentials)
    return _settle(manifest, base_path, path, keep, states)


def _wanted(base_path: Place, to: int | None) -> int:
    """The version to go back to."""
    existing = base_paths.versions(base_path)
    if not existing:
        raise PublishError(f"base path {base_path}: expected a version to roll back from, received none")
    latest = base_path / str(existing[-1])
    wanted = to
    if to is None:
        with fetched(latest) as directory:
            wanted = read_manifest(directory).parent
    if wanted is None:
        raise PublishError(f"{latest}: its content is the first; there is nothing to go back to")
    require_version(base_path, existing, wanted)
    return wanted


def _check_keep(keep: int) -> None:
    if keep < LEAST_KEPT:
        raise PublishError(f"keep: expected at least {LEAST_KEPT}, received {keep}")


def _settle(
    manifest: Manifest,
    base_path: Place,
    path: Place,
    keep: int,
    states: tuple[ServerState, ...],
    erased: Erased = NOBODY,
) -> Published:
    removed, notes = _retain(base_path, keep, states, erased)
    return Published(manifest, path, states, removed, notes)


def _retain(
    base_path: Place, keep: int, states: Sequence[ServerState], erased: Erased
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Deletes all but the newest versions, and says what was deleted and why something was not.

    Of those that are kept, the ones that know an erased user go as well, but for the newest two.

    A server that failed to load the new version, or is slow, goes on with older ones: of each server the two highest
    available versions stay.
    """
    silent = [state.server for state in states if state.available is None]
    if silent:
        return (), (f"no version was removed: {', '.join(silent)} did not say what it serves",)
    in_use = {version for state in states for version in (state.available or ())[:LEAST_KEPT]}
    removed: list[int] = []
    versions = base_paths.versions(base_path)
    for version in (each for each in versions[:-LEAST_KEPT] if each not in in_use):
        try:
            if version not in versions[:-keep] and not holds_keys(base_path / str(version), erased.keys):
                continue
            base_paths.remove(base_path, version)
        except (PublishError, DataError) as error:
            return tuple(removed), (str(error),)
        removed.append(version)
    return tuple(removed), ()
