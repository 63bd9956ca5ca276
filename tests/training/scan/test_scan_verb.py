"""`python -m training scan`: over folders, a database in use and a Redis; what it says, and its exit status."""

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from feature_service.erasures import Erasure
from feature_service.features.catalog import build_catalog
from feature_service.features.schema import key_of
from feature_service.features.state import State
from feature_service.stores.protocol import Changes, StoredUser
from feature_service.stores.redis import RedisStore
from tests.feature_service.redis_process import RedisProcess, needs_redis
from training.__main__ import main

USER, OTHER = "user-1", "user-10"
KEY = key_of("user", USER)


def scanned(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Mapping[str, list[dict[str, str]]]]:
    """Exit status and JSON of the verb."""
    status = main(["scan", "--user", USER, *words, "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_each_file_is_told_by_its_path_and_what_it_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / ".hidden").write_text(f"{USER} {KEY}")
    (tmp_path / "b.png").write_bytes(b"\x89PNG")
    (tmp_path / "c.txt").write_text(OTHER)
    (tmp_path / "erasures.jsonl").write_text(f'{{"key": {KEY}, "time_ms": 1, "position": 1, "user_id": ""}}\n')
    assert main(["scan", "--user", USER, str(tmp_path)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"found  {tmp_path}/a/.hidden: the id, key",
        f"kept  {tmp_path}/erasures.jsonl: the key alone, which stays",
        f"not looked into  {tmp_path}/b.png: PNG",
        "3 files and values looked into: found in 1",
    ]


def test_who_is_nowhere_is_not_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "c.txt").write_text(OTHER)
    status, told = scanned(capsys, str(tmp_path / "c.txt"))
    assert (status, told["found"], told["looked_into"]) == (0, [], 1)


def test_a_place_that_is_not_there_is_no_clean_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", "--user", USER, str(tmp_path / "typo")]) == 2
    assert "typo: expected a file or a folder to look into, found none" in capsys.readouterr().err


def test_a_database_in_use_is_looked_into_through_its_write_ahead_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect(tmp_path / "store.sqlite", isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("CREATE TABLE users (key INTEGER PRIMARY KEY, id TEXT)")
        writer.execute("INSERT INTO users VALUES (?, ?)", (KEY, USER))
        status, told = scanned(capsys, str(tmp_path))
        assert (status, [Path(each["place"]).name for each in told["found"]]) == (1, ["store.sqlite-wal"])
        writer.execute("DELETE FROM users")
        assert scanned(capsys, str(tmp_path))[0] == 1  # The log still says what was written.
        writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert scanned(capsys, str(tmp_path))[0] == 0


@needs_redis
def test_a_redis_is_looked_into_by_the_settings_that_name_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with RedisProcess(tmp_path / "redis") as server:
        settings = tmp_path / "settings.toml"
        settings.write_text(f'[store]\naddress = "{server.address}"\nprefix = "onair"\n')
        store = RedisStore.open(server.address, State(build_catalog(2).memories).dtypes, prefix="onair", log_id="log")
        users = {key_of("user", each): StoredUser(each, b"", b"") for each in (USER, OTHER)}
        store.checkpoint(Changes(5, {}, {}, users))
        status, told = scanned(capsys, "--settings", str(settings))
        assert status == 1
        assert sorted(each["what"] for each in told["found"]) == ["id, key", "key"]  # The value, and the stream.
        store.checkpoint(Changes(6, {}, {}, {}, gone_users=(KEY,)))
        store.tell_erased([Erasure(KEY, 1, 6, "")])
        status, told = scanned(capsys, "--settings", str(settings))
        assert (status, told["found"]) == (0, [])
        assert [each["place"].endswith("b'onair:erased'") for each in told["kept"]] == [True]
        store.close()
