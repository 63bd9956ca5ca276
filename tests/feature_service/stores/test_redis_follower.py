"""What follows a store in a Redis: never records of two checkpoints, and never a checkpoint left out. Real Redis."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from feature_service.erasures import Erasure
from feature_service.stores import redis
from feature_service.stores.protocol import (
    StoreAheadError,
    StoreError,
    StoreLostError,
)
from feature_service.stores.redis import RedisStore
from feature_service.stores.redis_follower import GapError, RedisFollower
from tests.feature_service.redis_process import RedisProcess, needs_redis
from tests.feature_service.stores.followed import DTYPES, FIRST, NOBODY, ROOM, SECOND, changes, first

pytestmark = needs_redis


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisProcess]:
    with RedisProcess(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def store(server: RedisProcess) -> Iterator[RedisStore]:
    """A store with two rooms of one streamer, and two users."""
    store = RedisStore.open(server.address, DTYPES, prefix="test", log_id="log")
    store.checkpoint(first())
    yield store
    store.close()


@pytest.fixture
def follower(server: RedisProcess) -> Iterator[RedisFollower]:
    follower = RedisFollower(server.address, "test", DTYPES)
    yield follower
    follower.close()


def test_entries_that_are_gone_are_a_gap_which_a_snapshot_closes(
    store: RedisStore, follower: RedisFollower, server: RedisProcess
) -> None:
    follower.snapshot(NOBODY, NOBODY)
    for position in (11, 12):
        store.checkpoint(changes(position, users={position: FIRST}))
    server.command("XTRIM", "test:changes", "MAXLEN", "1")
    with pytest.raises(GapError):
        follower.changes(NOBODY)
    assert follower.snapshot(frozenset([11]), NOBODY).users == {11: FIRST}
    store.checkpoint(changes(13, gone_users=(11,)))
    assert follower.changes(frozenset([11])) == changes(13, gone_users=(11,))


def test_a_checkpoint_of_too_many_keys_to_name_is_a_gap(
    store: RedisStore, follower: RedisFollower, monkeypatch: pytest.MonkeyPatch
) -> None:
    follower.snapshot(NOBODY, NOBODY)
    monkeypatch.setattr(redis, "MOST_NAMES", 1)
    store.checkpoint(changes(11, users={5: SECOND, 6: SECOND}))
    with pytest.raises(GapError):
        follower.changes(NOBODY)
    follower.snapshot(NOBODY, NOBODY)
    store.checkpoint(changes(12, rooms={3: ROOM}))
    assert follower.changes(NOBODY) == changes(12, rooms={3: ROOM})


def test_a_store_that_went_back_or_away_is_not_read(
    store: RedisStore, follower: RedisFollower, server: RedisProcess
) -> None:
    follower.snapshot(NOBODY, NOBODY)
    server.command("HSET", "test:store", "position", "9")
    for read in (lambda: follower.changes(NOBODY), lambda: follower.load_user(5)):
        with pytest.raises(StoreLostError, match="expected a store at position 10 or later, received 9"):
            read()
    server.command("FLUSHALL")
    with pytest.raises(StoreLostError, match="expected a store that a writer keeps, received none"):
        follower.snapshot(NOBODY, NOBODY)


def test_the_store_of_another_log_is_not_taken_for_the_one_that_was_followed(
    store: RedisStore, follower: RedisFollower, server: RedisProcess
) -> None:
    follower.snapshot(NOBODY, NOBODY)
    server.command("FLUSHALL")
    other = RedisStore.open(server.address, DTYPES, prefix="test", log_id="another")
    other.checkpoint(changes(20))
    other.close()
    with pytest.raises(GapError):
        follower.changes(NOBODY)
    with pytest.raises(StoreError, match="expected the store of the log log, received another's"):
        follower.snapshot(NOBODY, NOBODY)
    with pytest.raises(StoreAheadError):
        follower.load_user(5)


def test_changes_that_name_who_was_erased_are_forgotten_and_who_has_read_them_follows_on(
    store: RedisStore, follower: RedisFollower, server: RedisProcess
) -> None:
    late = RedisFollower(server.address, "test", DTYPES)
    late.snapshot(NOBODY, NOBODY)
    store.checkpoint(changes(11, gone_users=(5,)))
    follower.snapshot(NOBODY, NOBODY)
    store.tell_erased([Erasure(7, 1_000, 11, "")])
    assert server.command("XLEN", "test:changes") == b":2\r\n"
    store.tell_erased([Erasure(5, 1_000, 11, "")])
    store.checkpoint(changes(12, rooms={3: ROOM}))
    assert server.command("XLEN", "test:changes") == b":1\r\n"
    assert follower.changes(NOBODY) == changes(12, rooms={3: ROOM})
    with pytest.raises(GapError):
        late.changes(NOBODY)
    late.close()


def test_who_was_erased_is_told_without_the_ids(store: RedisStore, follower: RedisFollower) -> None:
    store.tell_erased([Erasure(-5, 1_000, 3, "first"), Erasure(6, 2_000, 7, "")])
    store.tell_erased([Erasure(-5, 4_000, 9, "first")])  # Came back, and was erased once more.
    assert sorted(follower.erasures(), key=lambda each: each.key) == [
        Erasure(-5, 4_000, 9, ""),
        Erasure(6, 2_000, 7, ""),
    ]
