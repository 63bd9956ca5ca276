"""What every follower of a store does: never records of two checkpoints, and never a checkpoint left out."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from feature_service.stores.protocol import Follower, Store, StoreAheadError
from feature_service.stores.redis import RedisStore
from feature_service.stores.redis_follower import RedisFollower
from feature_service.stores.sqlite import SqliteStore
from feature_service.stores.sqlite_follower import SqliteFollower
from tests.feature_service.redis_process import RedisProcess, needs_redis
from tests.feature_service.stores.followed import DTYPES, FIRST, NOBODY, ROOM, SECOND, STREAMER, changes, first

Pair = tuple[Store, Follower]


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=needs_redis)])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pair]:
    """A store with one checkpoint, and what follows it."""
    if request.param == "sqlite":
        with closing(SqliteStore.open(tmp_path / "store", DTYPES)) as store:
            store.checkpoint(first())
            with closing(SqliteFollower(tmp_path / "store", tmp_path / "erasures", DTYPES)) as follower:
                yield store, follower
        return
    with (
        RedisProcess(tmp_path / "redis") as server,
        closing(RedisStore.open(server.address, DTYPES, prefix="test", log_id="log")) as store,
    ):
        store.checkpoint(first())
        with closing(RedisFollower(server.address, "test", DTYPES)) as follower:
            yield store, follower


@pytest.fixture
def store(pair: Pair) -> Store:
    return pair[0]


@pytest.fixture
def follower(pair: Pair) -> Follower:
    return pair[1]


def test_a_snapshot_holds_all_rooms_with_their_streamers_and_who_is_known(follower: Follower) -> None:
    found = follower.snapshot(frozenset([5, 7]), NOBODY)
    assert found == changes(10, rooms={1: ROOM, 2: ROOM}, streamers={8: STREAMER}, users={5: FIRST}, gone_users=(7,))


def test_changes_are_read_once_and_of_users_those_who_are_known(store: Store, follower: Follower) -> None:
    follower.snapshot(NOBODY, NOBODY)
    store.checkpoint(changes(11, users={5: SECOND, 6: SECOND}, gone_rooms=(1,)))
    store.checkpoint(changes(12, rooms={3: ROOM}, streamers={8: STREAMER}))
    found = changes(12, rooms={3: ROOM}, streamers={8: STREAMER}, users={5: SECOND}, gone_rooms=(1,))
    assert follower.changes(frozenset([5])) == found
    assert follower.changes(frozenset([5])) is None


def test_a_checkpoint_that_only_counts_on_is_followed_too(store: Store, follower: Follower) -> None:
    follower.snapshot(NOBODY, NOBODY)
    store.checkpoint(changes(11))
    assert follower.changes(NOBODY) == changes(11)
    store.checkpoint(changes(11))  # Says nothing new.
    assert follower.changes(NOBODY) is None


def test_a_user_of_a_later_checkpoint_waits_for_it(store: Store, follower: Follower) -> None:
    follower.snapshot(NOBODY, NOBODY)
    assert follower.load_user(5) == FIRST
    store.checkpoint(changes(11, users={5: SECOND}))
    with pytest.raises(StoreAheadError):
        follower.load_user(6)
    follower.changes(NOBODY)
    assert (follower.load_user(5), follower.load_user(6), follower.load_user(7)) == (SECOND, FIRST, None)
