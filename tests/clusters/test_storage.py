"""Places that are copied to this machine and back behave as local folders do."""

import re
import socket
from contextlib import suppress
from pathlib import Path

import pytest

from training.data import locations
from training.data.errors import DataError
from training.storage import Place, Remote, fetched, kept, place, stored


def contents(where: Place) -> dict[str, str]:
    """The files of a folder by name, with their texts."""
    with fetched(where) as folder:
        return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}


def test_a_stored_folder_comes_back_as_it_was(root: Place) -> None:
    with stored(root / "report") as folder:
        (folder / "plots").mkdir(parents=True)
        (folder / "report.md").write_text("one")
        (folder / "plots" / "auc.svg").write_text("two")
    assert contents(root / "report") == {"report.md": "one", "plots/auc.svg": "two"}
    assert contents(root / "report" / "plots") == {"auc.svg": "two"}


def test_a_stored_file_comes_back_as_it_was_and_is_replaced(root: Place) -> None:
    for text in ("first", "second"):
        with stored(root / "found.json") as file:
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
    with fetched(root / "found.json") as file:
        assert (file.name, file.read_text()) == ("found.json", "second")


def test_what_is_not_there_is_named_by_its_place(root: Place) -> None:
    with pytest.raises(FileNotFoundError) as caught, fetched(root / "nothing.toml") as file:
        file.read_text()
    assert caught.value.filename == str(root / "nothing.toml") or caught.value.filename == root / "nothing.toml"


def test_errors_of_a_block_name_the_place(root: Place) -> None:
    said = re.escape(f"{root / 'run' / 'run.json'}: expected a run")
    with pytest.raises(ValueError, match=f"^{said}$"), fetched(root / "run") as folder:
        raise ValueError(f"{folder / 'run.json'}: expected a run")


def test_a_folder_that_is_there_already_is_there_for_who_refuses_to_overwrite_it(root: Place) -> None:
    with stored(root / "saved") as folder:
        assert not folder.exists()
        folder.mkdir(parents=True)
        (folder / "saved_model.pb").write_text("graph")
    with stored(root / "saved") as folder:
        assert folder.is_dir()


def test_a_kept_folder_is_gone_on_in(root: Place) -> None:
    with kept(root / "run") as (folder, _):
        folder.mkdir(parents=True)
        (folder / "checkpoint-1").write_text("old")
        (folder / "run.json").write_text("same")
        (folder / "log").write_text("1")
    with kept(root / "run") as (folder, _):
        assert sorted(file.name for file in folder.iterdir()) == ["checkpoint-1", "log", "run.json"]
        (folder / "checkpoint-1").unlink()
        (folder / "log").write_text("1 2")
        (folder / "checkpoint-2").write_text("new")
    assert contents(root / "run") == {"checkpoint-2": "new", "log": "1 2", "run.json": "same"}


def test_a_kept_folder_is_stored_while_work_goes_on_and_after_it_broke_off(root: Place) -> None:
    with suppress(KeyboardInterrupt), kept(root / "run") as (folder, store):
        folder.mkdir(parents=True)
        (folder / "epoch-1").write_text("1")
        store()
        assert contents(root / "run") == {"epoch-1": "1"}
        (folder / "epoch-2").write_text("2")
        raise KeyboardInterrupt
    assert contents(root / "run") == {"epoch-1": "1", "epoch-2": "2"}


def test_work_that_broke_off_stores_no_report(root: Place) -> None:
    if isinstance(root, Path):
        pytest.skip("a local folder is written to as it is")
    with suppress(RuntimeError), stored(root / "report") as folder:
        folder.mkdir()
        (folder / "report.md").write_text("half")
        raise RuntimeError
    assert contents(root / "report") == {}


def test_a_place_is_local_unless_its_uri_says_otherwise() -> None:
    assert place("runs/mmoe") == Path("runs/mmoe")
    assert place("file:///srv/my%20runs") == Path("/srv/my runs")
    assert place("hdfs://namenode:9820/runs") == Remote("hdfs://namenode:9820/runs")


def test_what_follows_a_question_mark_stays_behind_the_path() -> None:
    at = Remote("s3://bucket/runs?endpoint_override=127.0.0.1:9000&scheme=http") / "mmoe"
    assert str(at) == "s3://bucket/runs/mmoe?endpoint_override=127.0.0.1:9000&scheme=http"
    assert (at.name, at.parent.name) == ("mmoe", "runs")


def test_a_bucket_that_is_not_there_is_named(object_store: object) -> None:
    missing = Remote("s3://no-such-bucket/found.json")
    with pytest.raises(DataError, match=r"s3://no-such-bucket/found.json: .*no-such-bucket"), stored(missing) as file:
        file.write_text("text")


def test_a_namenode_that_hangs_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locations, "_ANSWER_TIMEOUT_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"hdfs://127.0.0.1:{silent.getsockname()[1]}/run"
        with (
            pytest.raises(DataError, match=rf"^{uri}: the namenode did not answer within 0.5 s$"),
            fetched(Remote(uri)),
        ):
            pass


def test_a_namenode_that_is_not_there_is_named_at_once() -> None:
    with pytest.raises(DataError, match=r"^hdfs://127.0.0.1:1/run: .*Connection refused$"):
        locations.locate("hdfs://127.0.0.1:1/run")
