"""Filling a store from the log: up to a position, and without the rooms that are long gone."""

from pathlib import Path

from feature_service.features.events import Event, EventKind
from feature_service.features.schema import key_of
from feature_service.features.state import State
from feature_service.stores.protocol import Live
from feature_service.stores.refill import refill
from feature_service.stores.sqlite import SqliteStore
from tests.feature_service.event_streams import CATALOG, event


def _filled(folder: Path, events: list[Event], until: int) -> Live:
    state = State(CATALOG.memories)
    store = SqliteStore.open(folder / "store.sqlite", state.dtypes)
    refill(store, state, iter(list(enumerate(events))), until, lambda _: None)
    live = store.load_live()
    store.close()
    return live


def test_a_store_is_filled_up_to_the_position_and_no_further(tmp_path: Path) -> None:
    events = [event(EventKind.ROOM_STARTED, number, room_id=f"r{number}") for number in range(5)]
    live = _filled(tmp_path, events, 3)
    assert live.position == 3
    assert set(live.rooms) == {key_of("room", f"r{number}") for number in range(3)}


def test_rooms_that_are_long_gone_are_left_out(tmp_path: Path) -> None:
    events = [event(EventKind.ROOM_STARTED), event(EventKind.ROOM_STARTED, 7_200, room_id="q")]
    assert set(_filled(tmp_path, events, 2).rooms) == {key_of("room", "q")}
