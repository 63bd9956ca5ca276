"""What follows a SQLite store of another process: never records of two checkpoints, and never a checkpoint left out."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from feature_service.erasures import Erasure
from feature_service.stores import sqlite
from feature_service.stores.protocol import (
    GapError,
    StoreError,
)
from feature_service.stores.sqlite import SqliteStore
from feature_service.stores.sqlite_follower import SqliteFollower
from tests.feature_service.stores.followed import DTYPES, FIRST, NOBODY, ROOM, changes, first


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """A store with two rooms of one streamer, and two users."""
    store = SqliteStore.open(tmp_path / "store", DTYPES)
    store.checkpoint(first())
    yield store
    store.close()


@pytest.fixture
def follower(store: SqliteStore, tmp_path: Path) -> Iterator[SqliteFollower]:
    follower = SqliteFollower(tmp_path / "store", tmp_path / "erasures", DTYPES)
    yield follower
    follower.close()


def test_a_user_who_is_gone_is_told_to_those_who_know_them(store: SqliteStore, follower: SqliteFollower) -> None:
    follower.snapshot(frozenset([5]), NOBODY)
    store.checkpoint(changes(11, gone_users=(5, 6)))
    assert follower.changes(frozenset([5])) == changes(11, gone_users=(5,))


def test_names_that_are_gone_are_a_gap_which_a_snapshot_closes(
    store: SqliteStore, follower: SqliteFollower, monkeypatch: pytest.MonkeyPatch
) -> None:
    follower.snapshot(NOBODY, NOBODY)
    monkeypatch.setattr(sqlite, "KEPT_CHECKPOINTS", 1)
    for position in (11, 12):
        store.checkpoint(changes(position, users={position: FIRST}))
    with pytest.raises(GapError):
        follower.changes(NOBODY)
    assert follower.snapshot(frozenset([11]), NOBODY).users == {11: FIRST}
    store.checkpoint(changes(13, gone_users=(11,)))
    assert follower.changes(frozenset([11])) == changes(13, gone_users=(11,))


def test_names_of_who_was_erased_are_forgotten_and_who_has_not_read_them_meets_a_gap(
    store: SqliteStore, follower: SqliteFollower, tmp_path: Path
) -> None:
    late = SqliteFollower(tmp_path / "store", tmp_path / "erasures", DTYPES)
    late.snapshot(NOBODY, NOBODY)
    store.checkpoint(changes(11, gone_users=(5,)))
    follower.snapshot(NOBODY, NOBODY)
    store.tell_erased([Erasure(5, 1_000, 11, "")])
    with pytest.raises(GapError):
        late.changes(NOBODY)
    late.close()
    store.checkpoint(changes(12, rooms={3: ROOM}))
    assert follower.changes(NOBODY) == changes(12, rooms={3: ROOM})


def test_waiting_ends_with_the_next_checkpoint(store: SqliteStore, follower: SqliteFollower) -> None:
    follower.snapshot(NOBODY, NOBODY)
    news = threading.Timer(0.05, store.checkpoint, [changes(11)])
    news.start()
    found = None
    for _ in range(20):  # One wait is short on purpose.
        follower.wait()
        if found := follower.changes(NOBODY):
            break
    news.join()
    assert found == changes(11)


def test_a_store_of_before_can_be_followed_from_its_next_checkpoint_on(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path / "store", DTYPES)
    store.checkpoint(changes(10, rooms={1: ROOM}))
    for table in ("changes", "checkpoints"):
        store._writer.execute(f"DROP TABLE {table}")  # As an earlier version left it.
    store.close()
    store = SqliteStore.open(tmp_path / "store", DTYPES)
    follower = SqliteFollower(tmp_path / "store", tmp_path / "erasures", DTYPES)
    assert follower.snapshot(NOBODY, NOBODY) == changes(10, rooms={1: ROOM})
    store.checkpoint(changes(11, rooms={2: ROOM}))
    assert follower.changes(NOBODY) == changes(11, rooms={2: ROOM})
    follower.close()
    store.close()


def test_without_a_store_there_is_nothing_to_follow(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="expected the store of a service that runs, found none"):
        SqliteFollower(tmp_path / "store", tmp_path / "erasures", DTYPES)
