"""Seeding: a history goes into the store that the service's settings choose, and only into an empty one."""

from pathlib import Path

import pytest

from feature_service.features.catalog import build_catalog
from feature_service.features.events import Event, EventKind
from feature_service.features.schema import key_of
from feature_service.features.state import State
from feature_service.settings import load
from feature_service.stores.opening import open_store
from feature_service.stores.protocol import Live, StoredUser
from feature_service.stores.settings import StoreSettings
from tests.feature_service.redis_process import RedisProcess, needs_redis
from training.__main__ import main
from training.data.errors import DataError
from training.data.sources import write_log
from training.seed import seed

CATALOG = build_catalog(0)
START_MS = 1_750_000_000_000
HOUR_MS = 3_600_000


def history(folder: Path) -> Path:
    """A room that starts, six visits in its first minute, and one five hours later."""
    start = Event("s", EventKind.ROOM_STARTED, START_MS, room_id="r", streamer_id="s", lease_ms=12 * HOUR_MS)
    times_ms = [START_MS + 10_000 * number for number in range(6)] + [START_MS + 5 * HOUR_MS]
    visits = [
        Event(f"e{time_ms}", EventKind.ENTER, time_ms, user_id=f"u{time_ms % 7}", room_id="r", streamer_id="s")
        for time_ms in times_ms
    ]
    write_log(folder / "history", [start, *visits])
    return folder / "history"


def seeded(history: Path, data: Path, place: StoreSettings) -> tuple[Live, list[StoredUser | None]]:
    """What a store holds after seeding: the last two hours stay in the service's log."""
    result = seed(history, START_MS + 5 * HOUR_MS, data, CATALOG, place=place)
    assert (result.position, result.tail) == (7, 1)
    store = open_store(place, data, State(CATALOG.memories).dtypes)
    try:
        return store.load_live(), [store.load_user(key_of("user", f"u{number}")) for number in range(7)]
    finally:
        store.close()


@needs_redis
def test_a_seeded_redis_holds_what_a_seeded_file_holds(tmp_path: Path) -> None:
    past = history(tmp_path)
    with RedisProcess(tmp_path / "redis") as server:
        found = seeded(past, tmp_path / "served", StoreSettings(server.address, "test", 1, 0))
    assert found == seeded(past, tmp_path / "file", load().store)
    assert found[0].position == 7
    assert len(found[0].rooms) == 1
    assert not (tmp_path / "served" / "store.sqlite").exists()


@needs_redis
def test_a_store_that_holds_something_is_not_seeded(tmp_path: Path) -> None:
    past = history(tmp_path)
    with RedisProcess(tmp_path / "redis") as server:
        place = StoreSettings(server.address, "test", 1, 0)
        seeded(past, tmp_path / "data", place)
        (tmp_path / "again").mkdir()
        (tmp_path / "data" / "store.id").rename(tmp_path / "again" / "store.id")
        with pytest.raises(DataError, match="again: expected an empty store, received one at position 7"):
            seed(past, START_MS + 5 * HOUR_MS, tmp_path / "again", CATALOG, place=place)


def test_a_service_with_a_topic_is_not_seeded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "settings.toml").write_text('[log]\naddress = "kafka://127.0.0.1:1/events"\n')
    arguments = ["--log", "history", "--samples", "samples", "--data", str(tmp_path / "data")]
    assert main(["seed", *arguments, "--settings", str(tmp_path / "settings.toml")]) == 2
    assert "--settings: expected a log in the folder, received log.address" in capsys.readouterr().err
