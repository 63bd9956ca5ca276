"""The rules of version directories hold on every storage: a number is used once, a version is whole or not there."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pyarrow import fs

from serving.versions import PublishError
from tests.training.written_models import written_model
from training.base_path import claim, place, remove, versions
from training.data.locations import locate
from training.storage import Mirrored, Place, Remote, fetched


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return written_model(tmp_path / "model")


@pytest.fixture
def base_path(root: Place) -> Place:
    return root / "models" / "mmoe"


def nothing(directory: Path) -> None:
    """Completes a version by nothing."""


def say_hello(directory: Path) -> None:
    (directory / "note").write_bytes(b"hello")


def names(base_path: Place) -> list[str]:
    """What a model server sees in a base path and does not ignore."""
    if isinstance(base_path, Path):
        return sorted(child.name for child in base_path.iterdir() if child.name.isdigit())
    filesystem, path = locate(str(base_path))
    found = filesystem.get_file_info(fs.FileSelector(path, allow_not_found=True))
    return sorted(item.base_name for item in found if item.base_name.isdigit())


def test_numbers_start_at_one_and_are_not_used_again(base_path: Place, source: Path) -> None:
    assert versions(base_path) == []
    for number in (1, 2):
        assert claim(base_path) == number
        assert place(source, base_path, number, nothing) == base_path / str(number)
    remove(base_path, 2)
    assert versions(base_path) == [1]
    assert claim(base_path) == 3


def test_concurrent_publishers_take_different_numbers(base_path: Place) -> None:
    with ThreadPoolExecutor(3) as publishers:
        taken = list(publishers.map(lambda _: claim(base_path), range(9)))
    assert len(set(taken)) == len(taken)


def test_a_version_holds_the_model_and_what_completed_it(base_path: Place, source: Path) -> None:
    path = place(source, base_path, claim(base_path), say_hello)
    with fetched(path) as local:
        files = {str(file.relative_to(local)): file.read_bytes() for file in local.rglob("*") if file.is_file()}
    assert files == {"saved_model.pb": b"graph", "variables/variables.index": b"index", "note": b"hello"}


def test_a_version_that_could_not_be_made_is_not_there(base_path: Place, source: Path) -> None:
    def fail(directory: Path) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(PublishError, match=r"mmoe/1: could not be written .*No space left on device"):
        place(source, base_path, claim(base_path), fail)
    assert names(base_path) == []


@pytest.mark.parametrize("root", ["hdfs"], indirect=True)
def test_on_hdfs_a_version_is_not_there_before_it_is_whole(
    base_path: Remote, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, seen = Mirrored._put, []
    monkeypatch.setattr(Mirrored, "_put", lambda self, name: (put(self, name), seen.append(names(base_path))))
    place(source, base_path, claim(base_path), nothing)
    assert seen == [[], []]
    assert names(base_path) == ["1"]


@pytest.mark.parametrize("root", ["hdfs", "s3"], indirect=True)
def test_of_a_version_that_was_stored_in_part_nothing_is_left(
    base_path: Remote, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = Mirrored._put

    def fail_at_the_graph(self: Mirrored, name: str) -> None:
        if name == "/saved_model.pb":
            raise OSError(28, "No space left on device")
        put(self, name)

    monkeypatch.setattr(Mirrored, "_put", fail_at_the_graph)
    with pytest.raises(PublishError, match=r"mmoe/1: could not be written"):
        place(source, base_path, claim(base_path), nothing)
    filesystem, path = locate(str(base_path))
    left = filesystem.get_file_info(fs.FileSelector(path))
    assert [item.base_name for item in left] == [".versions"]


def test_a_version_without_its_graph_is_none(base_path: Place, source: Path) -> None:
    """As an object store holds one of which not all is there yet."""
    if isinstance(base_path, Path):
        pytest.skip("a local version appears by a rename")
    place(source, base_path, claim(base_path), nothing)
    filesystem, path = locate(str(base_path / "1"))
    filesystem.delete_file(f"{path}/saved_model.pb")
    assert versions(base_path) == []
    assert claim(base_path) == 2


def test_the_graph_is_stored_last(base_path: Place, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if isinstance(base_path, Path) or base_path.renames:
        pytest.skip("only in an object store can a half version be seen")
    put, order = Mirrored._put, []
    monkeypatch.setattr(Mirrored, "_put", lambda self, name: (order.append(name), put(self, name)))
    place(source, base_path, claim(base_path), lambda directory: (directory / "x").touch())
    assert order[-1] == "/saved_model.pb"
    assert len(order) == 3


def test_removing_what_another_publisher_removed_is_no_error(base_path: Place) -> None:
    claim(base_path)
    remove(base_path, 1)


def test_an_unreachable_base_path_is_named() -> None:
    with pytest.raises(PublishError, match=r"base path hdfs://127.0.0.1:1/models: cannot be written \("):
        claim(Remote("hdfs://127.0.0.1:1/models"))
