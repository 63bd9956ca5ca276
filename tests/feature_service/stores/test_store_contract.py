"""The contract of every store: what a checkpoint wrote is what a later process loads."""

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from feature_service.features.attributes import Attribute, AttributeKind
from feature_service.features.catalog import build_catalog
from feature_service.features.facts import RoomFacts
from feature_service.features.records import RecordDtype
from feature_service.features.reducers import Entity
from feature_service.features.state import State
from feature_service.stores.protocol import Changes, Store, StoredRoom, StoredStreamer, StoredUser
from feature_service.stores.redis import RedisStore
from feature_service.stores.sqlite import SqliteStore
from tests.feature_service.redis_process import RedisProcess, needs_redis

DTYPES = State(build_catalog(2).memories).dtypes
LATER_DTYPES = State(
    build_catalog(2, [Attribute(entity, "new", AttributeKind.NUMBER) for entity in (Entity.USER, Entity.ROOM)]).memories
).dtypes

Opener = Callable[[Mapping[Entity, RecordDtype]], Store]


@contextmanager
def _sqlite(folder: Path) -> Generator[Opener]:
    yield lambda dtypes: SqliteStore.open(folder / "store.sqlite", dtypes)


@contextmanager
def _redis(folder: Path) -> Generator[Opener]:
    with RedisProcess(folder) as server:
        yield lambda dtypes: RedisStore.open(server.address, dtypes, prefix="test", log_id="of the test")


STORES = {"sqlite": _sqlite, "redis": _redis}
"""Each makes an opener of one store: opened twice, it is the same store again."""


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=needs_redis)])
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    with STORES[request.param](tmp_path) as opener:
        yield opener


def _record(entity: Entity, key: int, **values: Any) -> bytes:
    record = np.zeros(1, DTYPES[entity])
    for name, value in {"key": key, **values}.items():
        record[name] = value
    return record.tobytes()


ROOM = StoredRoom(
    _record(Entity.ROOM, 7, lease_until_ms=5), RoomFacts("r", "s", {"title": (3, '夜 "live"'), "category": (1, "c")}), 8
)
STREAMER = StoredStreamer("s", _record(Entity.STREAMER, 8, category=4))
USER = StoredUser("u", _record(Entity.USER, -9, watched=2), _record(Entity.PAIR, 8) + _record(Entity.PAIR, 1))


def _changes(position: int = 1, **changed: Any) -> Changes:
    return Changes(**({"position": position, "rooms": {}, "streamers": {}, "users": {}} | changed))


ALL = _changes(40, rooms={7: ROOM}, streamers={8: STREAMER}, users={-9: USER})


def _written(opener: Opener, *checkpoints: Changes) -> Store:
    """A store that another process has written."""
    store = opener(DTYPES)
    for changes in checkpoints:
        store.checkpoint(changes)
    store.close()
    return opener(DTYPES)


def test_an_empty_store_stands_at_the_logs_begin(opener: Opener) -> None:
    store = opener(DTYPES)
    assert store.position == 0
    live = store.load_live()
    assert (live.position, live.rooms, live.streamers) == (0, {}, {})
    assert store.load_user(1) is None
    assert store.load_streamer(1) is None
    store.close()


def test_what_was_written_is_loaded_byte_for_byte(opener: Opener) -> None:
    store = _written(opener, ALL)
    assert store.position == 40
    live = store.load_live()
    assert (live.position, live.rooms, live.streamers) == (40, {7: ROOM}, {8: STREAMER})
    assert store.load_user(-9) == USER
    assert store.load_streamer(8) == STREAMER
    store.close()


def test_a_checkpoint_is_seen_at_once(opener: Opener) -> None:
    store = opener(DTYPES)
    store.checkpoint(ALL)
    assert store.position == 40
    assert store.load_user(-9) == USER
    store.close()


def test_a_later_checkpoint_replaces_what_it_names_and_leaves_the_rest(opener: Opener) -> None:
    newer = StoredUser("u", _record(Entity.USER, -9, watched=3), b"")
    store = _written(opener, ALL, _changes(41, users={-9: newer}))
    assert store.load_user(-9) == newer
    assert store.load_live().rooms == {7: ROOM}
    assert store.position == 41
    store.close()


def test_an_earlier_checkpoint_that_comes_late_is_left_out(opener: Opener) -> None:
    older = StoredUser("u", _record(Entity.USER, -9), b"")
    store = _written(opener, ALL, _changes(39, users={-9: older}))
    assert store.load_user(-9) == USER
    assert store.position == 40
    store.close()


def test_of_the_streamers_only_those_with_a_room_are_loaded_at_the_start(opener: Opener) -> None:
    other = StoredStreamer("t", b"")
    store = _written(opener, ALL, _changes(41, streamers={9: other}))
    assert set(store.load_live().streamers) == {8}
    assert store.load_streamer(9) == other
    store.close()


def test_a_room_without_facts_stays_without(opener: Opener) -> None:
    bare = StoredRoom(ROOM.record, None, 0)
    store = _written(opener, _changes(1, rooms={7: bare}))
    assert store.load_live().rooms == {7: bare}
    store.close()


def test_a_swept_room_is_gone_and_its_streamer_stays(opener: Opener) -> None:
    store = _written(opener, ALL, _changes(41, gone_rooms=(7, 99)))
    assert store.load_live().rooms == {}
    assert store.load_streamer(8) == STREAMER
    store.close()


def test_an_erased_user_is_gone(opener: Opener) -> None:
    store = _written(opener, ALL, _changes(41, gone_users=(-9, 99)))
    assert store.load_user(-9) is None
    store.close()


def test_a_checkpoint_that_fails_leaves_the_store_as_it_was(opener: Opener) -> None:
    store = opener(DTYPES)
    store.checkpoint(ALL)
    broken: Any = {5: StoredStreamer("t", b""), "no key": None}
    with pytest.raises(AttributeError):
        store.checkpoint(_changes(50, users={-9: StoredUser("u", b"", b"")}, streamers=broken))
    assert store.position == 40
    assert store.load_user(-9) == USER
    assert store.load_streamer(5) is None
    store.checkpoint(_changes(51))
    assert store.position == 51
    store.close()


def test_records_of_an_earlier_layout_are_read_in_the_present_one(opener: Opener) -> None:
    _written(opener, ALL).close()
    store = opener(LATER_DTYPES)
    user = store.load_user(-9)
    assert user is not None
    record = np.frombuffer(user.record, LATER_DTYPES[Entity.USER])
    assert record["key"].tolist() == [-9]
    assert (record["watched"] == 2).all()
    assert record["attribute.new"].tolist() == [0]
    assert user.pairs == USER.pairs
    room = np.frombuffer(store.load_live().rooms[7].record, LATER_DTYPES[Entity.ROOM])
    assert room["lease_until_ms"].tolist() == [5]
    store.close()


def test_layouts_may_stand_side_by_side(opener: Opener) -> None:
    _written(opener, ALL).close()
    later = opener(LATER_DTYPES)
    record = np.zeros(1, LATER_DTYPES[Entity.USER])
    record["key"], record["attribute.new"], record["watched"] = 3, 1.5, 6
    later.checkpoint(_changes(41, users={3: StoredUser("v", record.tobytes(), b"")}))
    later.close()
    # The process before the deployment still reads what both have written.
    earlier = opener(DTYPES)
    user = earlier.load_user(3)
    assert user is not None
    assert (np.frombuffer(user.record, DTYPES[Entity.USER])["watched"] == 6).all()
    assert earlier.load_user(-9) == USER
    earlier.close()
    # And the later one still knows the layout that only the earlier one writes.
    later = opener(LATER_DTYPES)
    migrated = later.load_user(-9)
    assert migrated is not None
    assert migrated.pairs == USER.pairs
    later.close()
