"""Version directories: numbers are used once, and a version appears whole or not at all."""

import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from serving.versions import PublishError, claim, place, remove, versions
from tests.training.written_models import written_model


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return written_model(tmp_path / "model")


@pytest.fixture
def base_path(tmp_path: Path) -> Path:
    return tmp_path / "models" / "mmoe"


def nothing(directory: Path) -> None:
    """Completes a version by nothing."""


def numeric(base_path: Path) -> list[str]:
    return sorted(child.name for child in base_path.iterdir() if child.name.isdigit())


def test_first_version_is_one(base_path: Path) -> None:
    assert claim(base_path) == 1


def test_a_number_follows_the_highest_on_disk(base_path: Path) -> None:
    (base_path / "0007").mkdir(parents=True)
    (base_path / "notes").mkdir()
    assert claim(base_path) == 8


def test_a_number_is_not_used_again_when_its_version_is_gone(base_path: Path, source: Path) -> None:
    for _ in range(2):
        place(source, base_path, claim(base_path), nothing)
    remove(base_path, 2)
    assert versions(base_path) == [1]
    assert claim(base_path) == 3


def test_concurrent_publishers_take_different_numbers(base_path: Path) -> None:
    with ThreadPoolExecutor(8) as publishers:
        taken = list(publishers.map(lambda _: claim(base_path), range(64)))
    assert sorted(taken) == list(range(1, 65))


def test_a_version_holds_the_model_and_what_completed_it(base_path: Path, source: Path) -> None:
    def complete(directory: Path) -> None:
        (directory / "note").write_text("hello")

    path = place(source, base_path, 3, complete)
    assert path == base_path / "3"
    files = {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}
    assert files == {"saved_model.pb": b"graph", "variables/variables.index": b"index", "note": b"hello"}


def test_a_version_is_not_there_before_it_is_whole(base_path: Path, source: Path) -> None:
    seen: list[list[str]] = []
    base_path.mkdir(parents=True)

    def copy(origin: str, target: str) -> None:
        seen.append(numeric(base_path))
        shutil.copy2(origin, target)

    place(source, base_path, 1, lambda _: seen.append(numeric(base_path)), copy)
    assert seen == [[], [], []]
    assert numeric(base_path) == ["1"]


def test_a_crash_in_the_middle_of_the_copy_leaves_nothing(base_path: Path, source: Path) -> None:
    copied: list[str] = []
    base_path.mkdir(parents=True)

    def copy(origin: str, target: str) -> None:
        if copied:
            raise OSError(28, "No space left on device")
        copied.append(origin)
        shutil.copy2(origin, target)

    with pytest.raises(PublishError, match=r"could not be written .*No space left on device"):
        place(source, base_path, 1, nothing, copy)
    assert list(base_path.iterdir()) == []


def test_a_killed_publisher_leaves_no_version(base_path: Path, source: Path) -> None:
    script = f"""
import os, pathlib, signal
from serving.versions import claim, place
def copy(origin, target):
    if origin.endswith("variables.index"):
        os.kill(os.getpid(), signal.SIGKILL)
    pathlib.Path(target).write_bytes(b"half")
base_path = pathlib.Path({str(base_path)!r})
place(pathlib.Path({str(source)!r}), base_path, claim(base_path), lambda _: None, copy)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False, timeout=60).returncode == -signal.SIGKILL
    assert versions(base_path) == []
    assert place(source, base_path, claim(base_path), nothing) == base_path / "2"


def test_a_crash_while_completing_leaves_nothing(base_path: Path, source: Path) -> None:
    base_path.mkdir(parents=True)

    def complete(directory: Path) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        place(source, base_path, 1, complete)
    assert list(base_path.iterdir()) == []


def test_a_base_path_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    with pytest.raises(PublishError, match=r"base path .*file/mmoe: cannot be written \(Not a directory\)"):
        claim(tmp_path / "file" / "mmoe")


def test_removing_what_another_publisher_removed_is_no_error(base_path: Path) -> None:
    base_path.mkdir(parents=True)
    remove(base_path, 1)


def test_a_missing_base_path_has_no_versions(base_path: Path) -> None:
    assert versions(base_path) == []
