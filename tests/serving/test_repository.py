"""The repository follows the version directories; models are loaded by a fake."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import grpc
import pytest

from protos.onair.v1.tfserving_pb2 import ModelVersionStatus
from serving.errors import ModelNotFoundError, serving_error
from serving.local.model_config import ServedModel, latest, specific
from serving.local.repository import Repository, Retries
from serving.local.servable import Servable

WAIT_S = 10
STILL_WAITING_S = 0.1  # a wait that ends too early would have ended by then


class FakeLoader:
    """Loads what is not in `broken`, `gated` versions once `gate` is set; records what was loaded and closed."""

    def __init__(self) -> None:
        self.broken: dict[str, Exception] = {}
        self.loaded: list[str] = []
        self.closed: list[str] = []
        self.gated: set[str] = set()
        self.gate = threading.Event()

    def __call__(self, path: Path) -> Servable:
        assert path.name not in self.gated or self.gate.wait(WAIT_S)
        self.loaded.append(path.name)
        if path.name in self.broken:
            raise self.broken[path.name]
        return Servable({}, path.name.encode(), lambda: self.closed.append(path.name))


@pytest.fixture
def loader() -> FakeLoader:
    return FakeLoader()


@pytest.fixture
def repository(loader: FakeLoader) -> Iterator[Repository]:
    repository = Repository(loader, Retries(limit=0, interval_s=0))
    yield repository
    repository.close()


def publish(base: Path, *versions: int | str) -> Path:
    for version in versions:
        (base / str(version)).mkdir(parents=True)
    return base


def settle(repository: Repository) -> dict[int, str]:
    """Waits until no version is between two states, and names the states."""
    with repository._changed:
        done = {ModelVersionStatus.AVAILABLE, ModelVersionStatus.END, ModelVersionStatus.UNLOADING}
        assert repository._changed.wait_for(
            lambda: all(state in done for _, state, _ in repository.states("m")), WAIT_S
        )
    return states(repository)


def states(repository: Repository) -> dict[int, str]:
    return {number: ModelVersionStatus.State.Name(state) for number, state, _ in repository.states("m")}


def broken(message: str = "no good") -> Exception:
    return serving_error(grpc.StatusCode.NOT_FOUND, message)


def until(repository: Repository, expected: dict[int, str]) -> None:
    with repository._changed:
        assert repository._changed.wait_for(lambda: states(repository) == expected, WAIT_S), states(repository)


def test_the_latest_versions_on_disk_are_loaded(repository, tmp_path):
    publish(tmp_path, 1, 2, "0010", "abc", "3a", "9" * 19)

    repository.apply([ServedModel("m", tmp_path, latest(2))])

    until(repository, {10: "AVAILABLE", 2: "AVAILABLE"})


def test_the_highest_available_version_answers_by_default(repository, tmp_path):
    repository.apply([ServedModel("m", publish(tmp_path, 1, 2), specific([1, 2]))])
    until(repository, {2: "AVAILABLE", 1: "AVAILABLE"})

    with repository.use("m", None) as (number, servable):
        assert (number, servable.signature_map) == (2, b"2")


def test_the_old_version_serves_until_the_new_one_is_loaded(repository, loader, tmp_path):
    repository.apply([ServedModel("m", publish(tmp_path, 1), latest(1))])
    until(repository, {1: "AVAILABLE"})
    loader.gated = {"2"}
    publish(tmp_path, 2)

    repository.poll()

    until(repository, {2: "LOADING", 1: "AVAILABLE"})
    loader.gate.set()
    until(repository, {2: "AVAILABLE", 1: "END"})
    assert loader.closed == ["1"]


def test_a_request_in_flight_finishes_on_its_version(repository, loader, tmp_path):
    repository.apply([ServedModel("m", publish(tmp_path, 1), latest(1))])
    until(repository, {1: "AVAILABLE"})

    with repository.use("m", None) as (number, _):
        publish(tmp_path, 2)
        repository.poll()
        until(repository, {2: "AVAILABLE", 1: "UNLOADING"})
        assert (number, loader.closed) == (1, [])
        with pytest.raises(ModelNotFoundError, match=r"Specific\(m, 1\)"), repository.use("m", 1):
            pass

    assert (states(repository)[1], loader.closed) == ("END", ["1"])


def test_a_version_is_closed_by_the_last_of_its_requests(repository, loader, tmp_path):
    repository.apply([ServedModel("m", publish(tmp_path, 1), latest(1))])
    until(repository, {1: "AVAILABLE"})
    first, second = ExitStack(), ExitStack()
    first.enter_context(repository.use("m", 1))
    second.enter_context(repository.use("m", 1))
    repository.apply([])

    first.close()
    assert loader.closed == []
    second.close()
    assert loader.closed == ["1"]


def test_a_version_that_fails_leaves_the_old_one_serving(repository, loader, tmp_path):
    loader.broken["2"] = broken()
    repository.apply([ServedModel("m", publish(tmp_path, 1), latest(1))])
    until(repository, {1: "AVAILABLE"})
    publish(tmp_path, 2)

    repository.poll()

    until(repository, {2: "END", 1: "AVAILABLE"})
    assert str(repository.states("m")[0][2]) == "NOT_FOUND: no good"


def test_an_unexpected_error_of_a_model_ends_the_version_too(repository, loader, tmp_path):
    loader.broken["1"] = KeyError("node")

    repository.apply([ServedModel("m", publish(tmp_path, 1), latest(1))])

    until(repository, {1: "END"})
    assert str(repository.states("m")[0][2]) == "UNKNOWN: KeyError: 'node'"


def test_a_failed_version_is_tried_again_only_after_it_was_gone_for_a_poll(repository, loader, tmp_path):
    loader.broken["1"] = broken()
    repository.apply([ServedModel("m", publish(tmp_path, 1), latest(1))])
    until(repository, {1: "END"})
    del loader.broken["1"]

    repository.poll()
    assert settle(repository) == {1: "END"}
    (tmp_path / "1").rmdir()
    repository.poll()
    publish(tmp_path, 1)
    repository.poll()

    until(repository, {1: "AVAILABLE"})


def test_a_failed_load_is_retried(loader, tmp_path):
    repository = Repository(loader, Retries(limit=2, interval_s=0))
    loader.broken["1"] = broken()

    repository.apply([ServedModel("m", publish(tmp_path, 1), latest(1))])

    until(repository, {1: "END"})
    assert loader.loaded == ["1", "1", "1"]


def test_a_version_that_vanishes_is_not_retried(loader, tmp_path):
    repository = Repository(loader, Retries(limit=1, interval_s=3600))
    loader.broken["1"] = broken()
    repository.apply([ServedModel("m", publish(tmp_path, 1), latest(1))])
    until(repository, {1: "LOADING"})

    (tmp_path / "1").rmdir()
    repository.poll()

    until(repository, {1: "END"})
    assert loader.loaded == ["1"]


def test_without_any_directory_the_last_version_is_unloaded(repository, tmp_path):
    repository.apply([ServedModel("m", publish(tmp_path, 1), latest(1))])
    until(repository, {1: "AVAILABLE"})
    (tmp_path / "1").rmdir()

    repository.poll()

    until(repository, {1: "END"})
    with pytest.raises(ModelNotFoundError, match=r"Servable not found for request: Latest\(m\)"):
        repository.use("m", None).__enter__()


def test_a_lower_version_that_comes_back_is_served(repository, tmp_path):
    repository.apply([ServedModel("m", publish(tmp_path, 2), latest(1))])
    until(repository, {2: "AVAILABLE"})
    (tmp_path / "2").rmdir()
    publish(tmp_path, 1)

    repository.poll()

    until(repository, {2: "END", 1: "AVAILABLE"})


def test_a_base_path_that_vanishes_changes_nothing_and_is_logged(repository, tmp_path, caplog):
    base = publish(tmp_path / "m", 1)
    repository.apply([ServedModel("m", base, latest(1))])
    until(repository, {1: "AVAILABLE"})
    (base / "1").rmdir()
    base.rmdir()

    repository.poll()

    assert settle(repository) == {1: "AVAILABLE"}
    assert f"Could not find base path {base} for servable m" in caplog.text


def test_an_empty_base_path_is_logged_with_the_likely_mistake(repository, tmp_path, caplog):
    repository.apply([ServedModel("m", tmp_path, latest(1))])

    assert f"No versions of servable m found under base path {tmp_path}" in caplog.text


def test_waiting_ends_with_the_versions_that_failed(repository, loader, tmp_path):
    loader.broken["1"] = broken()
    repository.apply([ServedModel("m", publish(tmp_path, 1), latest(1))])

    failed = repository.wait_for(["m"])

    assert [(name, version.number) for name, version in failed] == [("m", 1)]


def waiting_for_m(repository: Repository) -> threading.Thread:
    waiting = threading.Thread(target=repository.wait_for, args=(["m"],))
    waiting.start()
    return waiting


def test_waiting_for_a_model_without_versions_lasts_until_one_appears(repository, tmp_path):
    repository.apply([ServedModel("m", tmp_path, latest(1))])
    waiting = waiting_for_m(repository)
    waiting.join(STILL_WAITING_S)
    assert waiting.is_alive()

    publish(tmp_path, 1)
    repository.poll()

    waiting.join(WAIT_S)
    assert not waiting.is_alive()


def test_waiting_covers_every_version_of_a_model(repository, loader, tmp_path):
    loader.gated = {"2"}
    repository.apply([ServedModel("m", publish(tmp_path, 1, 2), latest(2))])
    until(repository, {2: "LOADING", 1: "AVAILABLE"})
    waiting = waiting_for_m(repository)
    waiting.join(STILL_WAITING_S)
    assert waiting.is_alive()

    loader.gate.set()

    waiting.join(WAIT_S)
    assert states(repository) == {2: "AVAILABLE", 1: "AVAILABLE"}


def test_a_version_that_is_retried_does_not_keep_the_others_waiting(loader, tmp_path):
    repository = Repository(loader, Retries(limit=1, interval_s=3600))
    loader.broken["2"] = broken()
    repository.apply([ServedModel("m", publish(tmp_path, 1, 2), latest(2))])

    assert repository.wait_for(["m"]) == []

    assert states(repository) == {2: "LOADING", 1: "AVAILABLE"}
    repository.close()
