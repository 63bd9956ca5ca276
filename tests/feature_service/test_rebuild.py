"""The store can be made again from the log, and a new counter filled in."""

from pathlib import Path

import pytest

from feature_service.boot import LOG_FOLDER
from feature_service.features.catalog import Catalog, build_catalog
from feature_service.features.events import Event, EventKind
from feature_service.features.reducers import Entity
from feature_service.features.state import State
from feature_service.log.local import LocalLog
from feature_service.log.protocol import LogError
from feature_service.rebuild import backfill, rebuild
from feature_service.settings import load
from feature_service.stores.keeper import StateKeeper
from feature_service.stores.opening import STORE_FILE
from feature_service.stores.sqlite import SqliteStore

SETTINGS = load()
START_MS = 1_750_000_000_000


def visit(number: int, kind: EventKind = EventKind.ENTER) -> Event:
    return Event(
        event_id=f"e{number}",
        kind=kind,
        time_ms=START_MS + number * 1000,
        user_id=f"u{number % 3}",
        room_id="r",
        streamer_id="s",
        watch_ms=5000 if kind is EventKind.LEAVE else 0,
        received_ms=START_MS + number * 1000,
    )


EVENTS = [visit(n, EventKind.SHARE if n % 2 else EventKind.ENTER) for n in range(12)]


def write_log(data: Path, events: list[Event], base: int = 0) -> None:
    log = LocalLog.open(data / LOG_FOLDER, base=base)
    log.append(events)
    log.sync()
    log.close()


def without_shares(catalog: Catalog) -> Catalog:
    """The catalogue of before somebody thought of counting shares."""
    return Catalog(tuple(feature for feature in catalog.features if ".share." not in feature.name))


def stored(data: Path, catalog: Catalog) -> State:
    state = State(catalog.memories)
    store = SqliteStore.open(data / STORE_FILE, state.dtypes)
    keeper = StateKeeper(state, store)
    state.position = keeper.restore()
    for event in EVENTS:
        keeper.prepare(event)
    store.close()
    return state


def replayed(catalog: Catalog) -> State:
    state = State(catalog.memories)
    for event in EVENTS:
        state.apply(event)
    return state


def assert_same(found: State, expected: State) -> None:
    assert found.rooms.all().tobytes() == expected.rooms.all().tobytes()
    assert found.streamers.all().tobytes() == expected.streamers.all().tobytes()
    assert found.users.all().tobytes() == expected.users.all().tobytes()
    for user in expected.pairs:
        assert found.pairs[user].all().tobytes() == expected.pairs[user].all().tobytes()


def test_rebuilt_store_holds_what_the_log_says(tmp_path: Path) -> None:
    write_log(tmp_path, EVENTS)
    catalog = build_catalog(0)

    assert rebuild(tmp_path, SETTINGS, catalog, lambda _: None) == len(EVENTS)

    found = stored(tmp_path, catalog)
    assert found.position == len(EVENTS)
    assert_same(found, replayed(catalog))


def test_log_that_begins_later_cannot_be_rebuilt_from(tmp_path: Path) -> None:
    write_log(tmp_path, EVENTS, base=100)

    with pytest.raises(LogError, match=r"expected a log from position 0, received one from 100"):
        rebuild(tmp_path, SETTINGS, build_catalog(0), lambda _: None)


def test_new_counter_is_filled_in_from_the_log_and_nothing_else_changes(tmp_path: Path) -> None:
    write_log(tmp_path, EVENTS)
    catalog = build_catalog(0)
    rebuild(tmp_path, SETTINGS, without_shares(catalog), lambda _: None)
    assert stored(tmp_path, catalog).streamers.fields["total.share"].sum() == 0

    # One room, one streamer, three users with one pair each: of all of them a share is counted.
    assert backfill(tmp_path, SETTINGS, catalog, 0, lambda _: None) == 8

    assert_same(stored(tmp_path, catalog), replayed(catalog))


def test_backfill_counts_only_from_the_given_position(tmp_path: Path) -> None:
    write_log(tmp_path, EVENTS)
    catalog = build_catalog(0)
    rebuild(tmp_path, SETTINGS, without_shares(catalog), lambda _: None)

    backfill(tmp_path, SETTINGS, catalog, 8, lambda _: None)

    found = stored(tmp_path, catalog)
    streamer = next(iter(found.streamers))
    assert found.streamers.fields["total.share"][found.streamers.find(streamer)] == 2  # Of events 9 and 11.
    assert found.dtypes[Entity.STREAMER].names is not None
