"""The versions that the server holds: follows the version directories, loads, retries, unloads.

States go START → LOADING → AVAILABLE → UNLOADING → END. A new version is loaded before an old one is unloaded; a
version that fails to load ends in END with its error while the old one keeps serving, and is tried again only after
its directory was gone for a poll. Requests in flight finish on the version they started on.
"""

import logging
import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from protos.onair.v1.tfserving_pb2 import ModelVersionStatus
from serving.errors import ServingError, serving_error
from serving.local.directory import versions_on_disk
from serving.local.model_config import ServedModel
from serving.local.servable import Servable

log = logging.getLogger(__name__)

START = ModelVersionStatus.START
LOADING = ModelVersionStatus.LOADING
AVAILABLE = ModelVersionStatus.AVAILABLE
UNLOADING = ModelVersionStatus.UNLOADING
END = ModelVersionStatus.END


@dataclass(frozen=True, slots=True)
class Retries:
    """How a failed load is tried again: `limit` more times, `interval_s` seconds apart."""

    limit: int
    interval_s: float


@dataclass(slots=True)
class Version:
    """One version of a model; changed by the repository only, under its lock.

    Attributes:
        number: The version's number.
        path: Its directory.
        state: Where it stands.
        wanted: Whether config, policy and disk ask for it.
        retrying: Whether a load of it has failed and it is being tried again.
        error: Why its load failed; set on END only.
        servable: The loaded model, while AVAILABLE or UNLOADING.
        users: How many requests run on it.
    """

    number: int
    path: Path
    state: ModelVersionStatus.State = START
    wanted: bool = True
    retrying: bool = False
    error: ServingError | None = None
    servable: Servable | None = None
    users: int = 0


@dataclass(slots=True)
class _Model:
    served: ServedModel | None  # None: no longer in the config
    versions: dict[int, Version] = field(default_factory=dict[int, Version])

    def in_state(self, *states: ModelVersionStatus.State) -> list[Version]:
        """The versions wanted now that are in one of the states."""
        return [version for version in self.versions.values() if version.wanted and version.state in states]


class Repository:
    """Owns the models' versions. All methods may be called from any thread."""

    def __init__(self, load: Callable[[Path], Servable], retries: Retries) -> None:
        """Starts with no models.

        Args:
            load: Loads (and warms up) a version directory; raises ServingError.
            retries: What to do when it fails.
        """
        self._load = load
        self._retries = retries
        self._models: dict[str, _Model] = {}
        self._changed = threading.Condition()
        self._polling = threading.Lock()
        self._closed = False

    def apply(self, models: Iterable[ServedModel]) -> None:
        """Replaces the list of models and looks at their directories at once; loading goes on in the background."""
        with self._changed:
            for model in self._models.values():
                model.served = None
            for served in models:
                self._models.setdefault(served.name, _Model(served)).served = served
        self.poll()

    def poll(self) -> None:
        """Looks at every model's directory, starts the loads it calls for and unloads what is no longer wanted."""
        with self._polling:
            with self._changed:
                models = list(self._models.values())
            for model in models:
                on_disk = versions_on_disk(model.served.name, model.served.base_path) if model.served else {}
                if on_disk is not None:
                    self._want(model, on_disk)

    @contextmanager
    def use(self, name: str, number: int | None) -> Generator[tuple[int, Servable]]:
        """Holds a version for the time of a request; it is not unloaded meanwhile.

        Args:
            name: The model.
            number: Exactly this version; None: the highest available one.

        Raises:
            ModelNotFoundError: The version (or any) is not available.
        """
        version, servable = self._acquire(name, number)
        try:
            yield version.number, servable
        finally:
            self._release(version)

    def available(self, name: str, number: int) -> bool:
        """Whether a version answers requests."""
        with self._changed:
            model = self._models.get(name)
            version = model.versions.get(number) if model else None
            return version is not None and version.state == AVAILABLE

    def states(self, name: str) -> list[tuple[int, ModelVersionStatus.State, ServingError | None]]:
        """Every version ever seen of a model, highest first: number, state, and why it failed to load."""
        with self._changed:
            model = self._models.get(name)
            versions = sorted(model.versions.items(), reverse=True) if model else []
            return [(number, version.state, version.error) for number, version in versions]

    def configured(self) -> set[str]:
        """The names of the models in the config."""
        with self._changed:
            return {name for name, model in self._models.items() if model.served}

    def wait_for(self, names: Sequence[str]) -> list[tuple[str, Version]]:
        """Waits until every version of the models was tried and one is available, or all have failed for good.

        A model without any version on disk is waited for without end, as TF Serving does.

        Returns:
            The versions that failed, of models that have no available one.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closed or all(self._settled(name) for name in names))
            return [
                (name, version)
                for name in names
                if not self._models[name].in_state(AVAILABLE)
                for version in self._models[name].in_state(END)
            ]

    def close(self) -> None:
        """Wakes all who wait and stops retrying; loaded models stay for the requests that still run."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _settled(self, name: str) -> bool:
        model = self._models[name]
        pending = model.in_state(START, LOADING)
        if model.in_state(AVAILABLE):
            return all(version.retrying for version in pending)
        return bool(model.in_state(END)) and not pending

    def _want(self, model: _Model, on_disk: dict[int, Path]) -> None:
        """Sets which versions are wanted, and acts on what changed."""
        with self._changed:
            chosen = model.served.policy(on_disk) if model.served else set[int]()
            started: list[Version] = []
            for number in sorted(chosen, reverse=True):
                known = model.versions.get(number)
                if known is None or (known.state == END and not known.wanted):
                    known = model.versions[number] = Version(number, on_disk[number])
                    started.append(known)
                known.wanted = True
            for number, version in model.versions.items():
                version.wanted = version.wanted and number in chosen
            self._changed.notify_all()
        for version in started:
            threading.Thread(target=self._load_version, args=(model, version), daemon=True).start()
        self._retire(model)

    def _load_version(self, model: _Model, version: Version) -> None:
        with self._changed:
            self._set(version, LOADING)
        servable, error = self._attempt(version)
        for _ in range(self._retries.limit):
            if servable or self._given_up(version):
                break
            servable, error = self._attempt(version)
        with self._changed:
            version.servable = servable
            version.error = error
            self._set(version, AVAILABLE if servable else END)
        self._retire(model)

    def _attempt(self, version: Version) -> tuple[Servable | None, ServingError | None]:
        try:
            return self._load(version.path), None
        except ServingError as error:
            failure = error
        except Exception as error:  # whatever a model's graph raises must end in END, not in a dead thread
            failure = serving_error(grpc.StatusCode.UNKNOWN, f"{type(error).__name__}: {error}")
        log.error("Loading %s failed: %s", version.path, failure)
        return None, failure

    def _given_up(self, version: Version) -> bool:
        """Waits for the next attempt; True when none is due because the version is no longer wanted."""
        with self._changed:
            version.retrying = True
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._closed or not version.wanted, self._retries.interval_s)

    def _retire(self, model: _Model) -> None:
        """Unloads what is no longer wanted, once a wanted version is available or none is wanted."""
        closing: list[Servable] = []
        with self._changed:
            pending = model.in_state(START, LOADING)
            served = model.in_state(AVAILABLE)
            any_wanted = any(version.wanted for version in model.versions.values())
            if any_wanted and (pending or not served):
                return
            for version in model.versions.values():
                if version.state == AVAILABLE and not version.wanted:
                    self._set(version, UNLOADING)
                    closing += self._end_if_unused(version)
        for servable in closing:
            servable.close()

    def _end_if_unused(self, version: Version) -> list[Servable]:
        """Ends an unloading version that no request uses; returns its servable for the caller to close, unlocked."""
        if version.state != UNLOADING or version.users or version.servable is None:
            return []
        servable = version.servable
        version.servable = None
        version.wanted = False  # wanted again meanwhile: the next poll loads it anew
        self._set(version, END)
        return [servable]

    def _set(self, version: Version, state: ModelVersionStatus.State) -> None:
        version.state = state
        log.info("%s: %s", version.path, ModelVersionStatus.State.Name(state))
        self._changed.notify_all()

    def _acquire(self, name: str, number: int | None) -> tuple[Version, Servable]:
        with self._changed:
            model = self._models.get(name)
            versions = model.versions if model else {}
            if number is None:
                candidates = [version for version in versions.values() if version.state == AVAILABLE]
                version = max(candidates, key=lambda candidate: candidate.number, default=None)
            else:
                version = versions.get(number)
            if version is None or version.state != AVAILABLE or version.servable is None:
                wanted = f"Latest({name})" if number is None else f"Specific({name}, {number})"
                raise serving_error(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: {wanted}")
            version.users += 1
            return version, version.servable

    def _release(self, version: Version) -> None:
        with self._changed:
            version.users -= 1
            closing = self._end_if_unused(version)
        for servable in closing:
            servable.close()
