"""What is particular to the SQLite store: its file."""

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from feature_service.erasures import Erasure
from feature_service.features.reducers import Entity
from feature_service.features.state import State
from feature_service.stores.codec import RecordCodec
from feature_service.stores.protocol import Changes, StoredUser, StoreError
from feature_service.stores.sqlite import SqliteStore
from tests.feature_service.event_streams import CATALOG

DTYPES = State(CATALOG.memories).dtypes


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "store.sqlite"
    with pytest.raises(StoreError, match=f"{path}: expected a readable and writable store: unable to open"):
        SqliteStore.open(path, DTYPES)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(
        StoreError, match=r"store\.sqlite: expected a readable and writable store: file is not a database"
    ):
        SqliteStore.open(path, DTYPES)


def test_another_format_or_another_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    for statement, found in (("CREATE TABLE other (id)", 0), ("PRAGMA user_version = 9", 9)):
        connection = sqlite3.connect(path)
        connection.execute(statement)
        connection.close()
        with pytest.raises(StoreError, match=f"expected a store of format 1, received format {found}"):
            SqliteStore.open(path, DTYPES)


def test_an_erased_user_leaves_no_trace_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    store = SqliteStore.open(path, DTYPES)
    user = {5: StoredUser("somebody-to-forget", b"", b"")}
    store.checkpoint(Changes(position=1, rooms={}, streamers={}, users=user))
    store.checkpoint(Changes(position=2, rooms={}, streamers={}, users={}, gone_users=(5,)))
    store.close()
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    assert b"somebody-to-forget" not in path.read_bytes()


def test_an_erased_user_leaves_no_trace_beside_the_file_of_a_store_in_use(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    store = SqliteStore.open(path, DTYPES)
    user = {5: StoredUser("somebody-to-forget", b"", b"")}
    store.checkpoint(Changes(position=1, rooms={}, streamers={}, users=user))
    store.checkpoint(Changes(position=2, rooms={}, streamers={}, users={}, gone_users=(5,)))
    assert b"somebody-to-forget" in path.with_name("store.sqlite-wal").read_bytes()
    store.tell_erased([Erasure(5, 1_000, 2, "")])
    assert not [each.name for each in tmp_path.iterdir() if b"somebody-to-forget" in each.read_bytes()]
    store.close()


def test_a_fresh_users_record_takes_little_room() -> None:
    record = np.zeros(1, DTYPES[Entity.USER])
    record["key"] = 2**60 + 12345
    packed = RecordCodec(DTYPES).pack(Entity.USER, record.tobytes())
    assert record.nbytes > 5_000
    assert len(packed) < 100


def test_damaged_and_unknown_records_are_told_apart() -> None:
    codec = RecordCodec(DTYPES)
    packed = codec.pack(Entity.PAIR, bytes(DTYPES[Entity.PAIR].itemsize))
    with pytest.raises(StoreError, match="pair: expected compressed records, received damaged bytes"):
        codec.unpack(Entity.PAIR, packed[:-1])
    with pytest.raises(StoreError, match="pair: expected a known record layout, received 0102030405060708"):
        codec.unpack(Entity.PAIR, bytes(range(1, 9)) + packed[8:])
