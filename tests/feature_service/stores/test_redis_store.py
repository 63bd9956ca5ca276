"""What is particular to the Redis store: a server that is shared, goes away, comes back empty, or older."""

import sys
import time
from collections.abc import Callable, ItemsView, Iterator
from pathlib import Path
from typing import Any

import pytest

from feature_service.features.state import State
from feature_service.settings import SettingsError, load
from feature_service.stores.opening import open_store
from feature_service.stores.protocol import Changes, StoredStreamer, StoredUser, StoreError, StoreLostError
from feature_service.stores.redis import RedisStore
from feature_service.stores.redis_server import PASSWORD_VARIABLE, READ_TIMEOUT_S
from feature_service.stores.settings import StoreSettings
from tests.feature_service.event_streams import CATALOG
from tests.feature_service.redis_process import RedisProcess, needs_redis

DTYPES = State(CATALOG.memories).dtypes
USER = StoredUser("u", b"", b"")

Opener = Callable[..., RedisStore]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisProcess]:
    with RedisProcess(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def opened() -> Iterator[Opener]:
    """Opens stores, and closes them at the end."""
    stores: list[RedisStore] = []

    def opened(server: RedisProcess, prefix: str = "test", log_id: str = "log", user_days: float = 0) -> RedisStore:
        stores.append(RedisStore.open(server.address, DTYPES, prefix=prefix, log_id=log_id, user_days=user_days))
        return stores[-1]

    yield opened
    for store in stores:
        store.close()


def changes(position: int, **changed: Any) -> Changes:
    return Changes(**({"position": position, "rooms": {}, "streamers": {}, "users": {}} | changed))


@needs_redis
def test_two_prefixes_of_one_server_are_two_stores(server: RedisProcess, opened: Opener) -> None:
    first, second = opened(server, "first"), opened(server, "second")
    first.checkpoint(changes(3, users={1: USER}))
    assert (second.position, second.load_user(1)) == (0, None)
    second.clear()
    second.checkpoint(changes(1))
    assert (first.position, first.load_user(1)) == (3, USER)


@needs_redis
def test_the_store_of_another_log_is_refused(server: RedisProcess, opened: Opener) -> None:
    opened(server, log_id="mine").checkpoint(changes(3))
    said = "prefix 'test': expected the store of the log yours, received that of the log mine; choose another prefix"
    with pytest.raises(StoreError, match=said):
        opened(server, log_id="yours")


@needs_redis
def test_another_format_is_refused(server: RedisProcess, opened: Opener) -> None:
    opened(server).checkpoint(changes(3))
    server.command("HSET", "test:store", "format", "9")
    with pytest.raises(StoreError, match="expected a store of format 1, received format 9"):
        opened(server)


@needs_redis
def test_another_kind_of_value_under_the_stores_key_is_told(server: RedisProcess, opened: Opener) -> None:
    server.command("SET", "test:store", "somebody else's")
    with pytest.raises(StoreError, match="expected a readable and writable store: WRONGTYPE"):
        opened(server)


@needs_redis
def test_of_an_emptied_server_nothing_is_read_and_nothing_written(server: RedisProcess, opened: Opener) -> None:
    store = opened(server)
    store.checkpoint(changes(40, users={1: USER}))
    server.command("FLUSHALL")
    said = "expected a store at position 40 or later, received 0"
    with pytest.raises(StoreLostError, match=said):
        store.load_user(1)
    with pytest.raises(StoreLostError, match=said):
        store.load_streamer(1)
    with pytest.raises(StoreLostError, match=said):
        store.load_live()
    with pytest.raises(StoreLostError, match=said):
        store.checkpoint(changes(41, users={2: USER}))
    assert server.command("DBSIZE") == b":0\r\n"


@needs_redis
def test_a_server_that_comes_back_with_an_older_snapshot_is_told_from_one_that_is_behind(
    server: RedisProcess, opened: Opener
) -> None:
    store = opened(server)
    store.checkpoint(changes(40, users={1: USER}))
    server.command("SAVE")
    store.checkpoint(changes(50, users={2: USER}))
    server.kill()
    server.start()
    with pytest.raises(StoreLostError, match="expected a store at position 50 or later, received 40"):
        store.checkpoint(changes(60, users={3: USER}))
    # A process that starts now goes on from there, with the log's events from 40 on.
    assert (opened(server).position, opened(server).load_user(1)) == (40, USER)


@needs_redis
def test_records_whose_position_is_lost_are_not_counted_twice(server: RedisProcess, opened: Opener) -> None:
    opened(server).checkpoint(changes(40, users={1: USER}, streamers={2: StoredStreamer("s", b"")}))
    server.command("DEL", "test:store")
    store = opened(server)
    assert (store.position, store.load_user(1), store.load_streamer(2)) == (0, None, None)
    store.checkpoint(changes(1))
    assert (store.position, store.load_user(1), store.load_streamer(2)) == (1, None, None)


@needs_redis
def test_who_only_opens_a_store_takes_nothing_from_the_one_who_fills_it(server: RedisProcess, opened: Opener) -> None:
    opened(server).checkpoint(changes(40, users={1: USER}))
    server.command("DEL", "test:store")
    opened(server)
    assert server.command("DBSIZE") == b":2\r\n"  # The user, and the stream of changes.


class _Meanwhile(dict[int, StoredUser]):
    """Users whose packing lasts until another process has written a checkpoint."""

    def __init__(self, users: dict[int, StoredUser], meanwhile: Callable[[], None]) -> None:
        super().__init__(users)
        self._meanwhile = meanwhile

    def items(self) -> ItemsView[int, StoredUser]:
        self._meanwhile()
        return super().items()


@needs_redis
def test_of_two_checkpoints_at_a_time_one_is_written_and_the_other_is_told(
    server: RedisProcess, opened: Opener
) -> None:
    slow, quick = opened(server), opened(server)
    newer = StoredUser("newer", b"", b"")
    users = _Meanwhile({1: USER, 2: USER}, lambda: quick.checkpoint(changes(41, users={1: newer})))
    with pytest.raises(StoreError, match="expected a readable and writable store: "):
        slow.checkpoint(changes(40, users=users))
    assert (slow.position, slow.load_user(1), slow.load_user(2)) == (41, newer, None)


@needs_redis
def test_a_dead_server_costs_one_short_wait_and_then_none(server: RedisProcess, opened: Opener) -> None:
    store = opened(server)
    store.checkpoint(changes(1, users={1: USER}))
    server.freeze()
    started_s = time.monotonic()
    for _ in range(1_000):
        with pytest.raises(StoreError, match="expected a readable and writable store: Timeout"):
            store.load_user(1)
    # A thousand waits would take more than three minutes.
    assert time.monotonic() - started_s < 100 * READ_TIMEOUT_S


@needs_redis
def test_the_store_works_again_when_the_server_is_back(tmp_path: Path, opened: Opener) -> None:
    with RedisProcess(tmp_path, "--appendonly", "yes", "--appendfsync", "always") as server:
        store = opened(server)
        store.checkpoint(changes(1, users={1: USER}))
        server.kill()
        with pytest.raises(StoreError, match="expected a readable and writable store: "):
            store.load_user(1)
        with pytest.raises(StoreError, match="expected a readable and writable store: "):
            store.checkpoint(changes(2))
        server.start()
        store.checkpoint(changes(2))
        assert (store.position, store.load_user(1)) == (2, USER)


@needs_redis
def test_only_users_are_forgotten_and_only_after_the_days_of_the_settings(server: RedisProcess, opened: Opener) -> None:
    opened(server, user_days=2).checkpoint(changes(1, users={1: USER}, streamers={2: StoredStreamer("s", b"")}))
    user, streamer = "test:u:" + "\0" * 7 + "\1", "test:s:" + "\0" * 7 + "\2"
    assert 2 * 86_400 - 100 < int(server.command("TTL", user)[1:]) <= 2 * 86_400
    assert server.command("TTL", streamer) == server.command("TTL", "test:store") == b":-1\r\n"
    opened(server, user_days=0).checkpoint(changes(2, users={1: USER}))
    assert server.command("TTL", user) == b":-1\r\n"


@needs_redis
def test_the_password_comes_from_the_environment_and_no_message_shows_one(
    tmp_path: Path, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RedisProcess(tmp_path, "--requirepass", "sesame") as server:
        with pytest.raises(StoreError, match="Authentication required"):
            opened(server)
        monkeypatch.setenv(PASSWORD_VARIABLE, "sesame")
        assert opened(server).position == 0
        address = server.address.replace("//", "//:oyster@")
        with pytest.raises(StoreError, match=f"^{server.address}: expected a readable and writable store: ") as error:
            RedisStore.open(address, DTYPES, prefix="test", log_id="log")
        assert "oyster" not in str(error.value)


def _refusal(folder: Path, address: str) -> str:
    with pytest.raises(SettingsError) as refusal:
        open_store(StoreSettings(address, "test", 1, 0), folder, DTYPES)
    return str(refusal.value)


def test_an_address_that_is_none_is_named_without_its_password(tmp_path: Path) -> None:
    said = _refusal(tmp_path, "redis://:oyster@127.0.0.1:none/0")
    assert said.startswith("store.address: expected redis://host:port/db, received redis://127.0.0.1:none/0: ")
    assert "oyster" not in said
    assert "colour" in _refusal(tmp_path, "redis://127.0.0.1/0?colour=red")


def test_who_wants_a_redis_without_the_library_hears_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    said = "store.address: expected the package redis (pip install 'onair[redis]'), found none"
    assert _refusal(tmp_path, "redis://127.0.0.1:6379/0") == said


@needs_redis
def test_two_data_folders_do_not_share_a_store_by_mistake(server: RedisProcess, tmp_path: Path) -> None:
    settings = StoreSettings(server.address, "test", 1, 0)
    for name in ("mine", "yours"):
        (tmp_path / name).mkdir()
    for _ in range(2):
        store = open_store(settings, tmp_path / "mine", DTYPES)
        store.checkpoint(changes(3))
        store.close()
    with pytest.raises(StoreError, match="choose another prefix"):
        open_store(settings, tmp_path / "yours", DTYPES)


def test_the_default_is_a_file_of_the_data_folder(tmp_path: Path) -> None:
    open_store(load().store, tmp_path, DTYPES).close()
    assert {each.name for each in tmp_path.iterdir()} == {"store.sqlite"}
