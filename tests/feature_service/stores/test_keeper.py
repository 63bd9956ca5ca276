"""The keeper: state, checkpoint and log together give the same records after a restart."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings

from feature_service.features.events import Event, EventKind
from feature_service.features.schema import key_of
from feature_service.features.state import State
from feature_service.live.table import LiveTable
from feature_service.stores.keeper import StateKeeper
from feature_service.stores.sqlite import SqliteStore
from tests.feature_service.event_streams import CATALOG, PATIENT, START_MS, contents, event, state_of, streams


class Process:
    """A service's state with its keeper, over a store in a folder."""

    def __init__(self, folder: Path, *, max_users: int = 100, max_streamers: int = 100) -> None:
        self.state = State(CATALOG.memories)
        self.store = SqliteStore.open(folder / "store.sqlite", self.state.dtypes)
        self.keeper = StateKeeper(self.state, self.store, max_users=max_users, max_streamers=max_streamers)
        self.position = self.keeper.restore()

    def apply(self, *events: Event) -> None:
        for each in events:
            self.keeper.prepare(each)
            self.state.apply(each)
            self.keeper.touched(each)
            self.position += 1

    def checkpoint(self) -> None:
        self.store.checkpoint(self.keeper.collect(self.position))
        self.keeper.committed()

    def everything(self) -> dict[str, object]:
        """All that the state holds once each user and streamer of the tests is in memory."""
        for name in ("u", "v"):
            self.keeper.ensure_user(key_of("user", name))
        for name in ("s", "t"):
            self.keeper.ensure_streamer(key_of("streamer", name))
        return contents(self.state)


@settings(PATIENT, max_examples=25)
@given(streams(), streams())
def test_a_checkpoint_and_the_events_behind_it_give_the_same_bytes(
    tmp_path_factory: pytest.TempPathFactory, before: list[Event], after: list[Event]
) -> None:
    folder = tmp_path_factory.mktemp("store")
    first = Process(folder)
    first.apply(*before)
    first.checkpoint()
    first.apply(*after)  # Only in the log.
    first.store.close()

    second = Process(folder)
    assert second.position == len(before)
    second.apply(*after)
    assert second.everything() == contents(state_of(*before, *after))
    second.store.close()


@settings(PATIENT, max_examples=15)
@given(streams())
def test_a_memory_of_one_user_and_one_streamer_loses_nothing(
    tmp_path_factory: pytest.TempPathFactory, events: list[Event]
) -> None:
    process = Process(tmp_path_factory.mktemp("store"), max_users=1, max_streamers=1)
    for each in events:
        process.apply(each)
        process.checkpoint()
        assert len(process.state.users) <= 1
        assert len(process.state.pairs) <= 1
    assert process.everything() == contents(state_of(*events))
    process.store.close()


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    opened = Process(tmp_path, max_users=1, max_streamers=1)
    yield opened
    opened.store.close()


def _user(name: str) -> int:
    return key_of("user", name)


def test_a_user_leaves_the_memory_only_when_the_store_has_what_changed(process: Process) -> None:
    process.apply(event(EventKind.LIKE, user_id="u"), event(EventKind.LIKE, user_id="v"))
    changes = process.keeper.collect(process.position)
    process.apply(event(EventKind.LIKE, 1, user_id="u"))  # Changed again while the checkpoint is written,
    process.keeper.ensure_user(_user("v"))  # and then the coldest.
    process.store.checkpoint(changes)
    process.keeper.committed()
    assert set(process.state.users) == {_user("u"), _user("v")}
    process.checkpoint()
    assert list(process.state.users) == [_user("v")]
    process.keeper.ensure_user(_user("u"))
    assert process.state.users.fields["total.like"][process.state.users.find(_user("u"))] == 2


def test_what_a_failed_checkpoint_held_is_part_of_the_next(process: Process) -> None:
    process.apply(event(EventKind.LIKE))
    process.keeper.collect(process.position)
    process.keeper.failed()
    changes = process.keeper.collect(process.position)
    assert set(changes.users) == {_user("u")}
    assert set(changes.rooms) == {key_of("room", "r")}
    assert set(changes.streamers) == {key_of("streamer", "s")}


def test_what_did_not_change_is_not_written_again(process: Process) -> None:
    process.apply(event(EventKind.LIKE))
    process.checkpoint()
    changes = process.keeper.collect(process.position)
    assert (changes.users, changes.rooms, changes.streamers) == ({}, {}, {})


def test_collected_changes_do_not_follow_the_state(process: Process) -> None:
    process.apply(event(EventKind.ROOM_STARTED, title="early"))
    changes = process.keeper.collect(process.position)
    process.apply(event(EventKind.ROOM_UPDATED, 1, title="late"))
    facts = changes.rooms[key_of("room", "r")].facts
    assert facts is not None
    assert facts.text("title") == "early"


def test_an_erased_user_does_not_come_back_from_the_store(tmp_path: Path) -> None:
    process = Process(tmp_path)
    process.apply(event(EventKind.FOLLOW))
    process.checkpoint()
    process.apply(event(EventKind.USER_ERASED, 1, room_id="", streamer_id=""))
    process.keeper.ensure_user(_user("u"))
    assert _user("u") not in process.state.users
    process.checkpoint()
    assert process.store.load_user(_user("u")) is None
    process.store.close()
    again = Process(tmp_path)
    again.keeper.ensure_user(_user("u"))
    assert len(again.state.users) == 0
    again.store.close()


def test_a_user_with_nothing_but_a_block_is_kept(tmp_path: Path) -> None:
    process = Process(tmp_path)
    process.apply(event(EventKind.BLOCK, room_id=""))
    process.checkpoint()
    process.store.close()
    again = Process(tmp_path)
    again.keeper.ensure_user(_user("u"))
    assert again.state.pairs[_user("u")].fields["blocked"][1] == 1
    again.store.close()


def test_streamers_of_rooms_stay_in_memory(process: Process) -> None:
    process.apply(event(EventKind.FOLLOW, room_id="", streamer_id="offline"))
    process.apply(*(event(EventKind.ROOM_STARTED, room_id=f"r{i}", streamer_id=f"s{i}") for i in range(3)))
    process.checkpoint()
    assert set(process.state.streamers) == {key_of("streamer", f"s{i}") for i in range(3)}


def test_a_swept_room_leaves_the_store(process: Process) -> None:
    process.apply(event(EventKind.ROOM_STARTED), event(EventKind.ROOM_STARTED, 7_200, room_id="q"))
    process.checkpoint()
    assert len(process.store.load_live().rooms) == 2
    list(LiveTable(process.state).sweep(START_MS + 7_200_000))
    process.checkpoint()
    assert set(process.store.load_live().rooms) == {key_of("room", "q")}


def test_a_room_swept_while_the_checkpoint_is_written_leaves_with_the_next(process: Process) -> None:
    process.apply(event(EventKind.ROOM_STARTED))
    changes = process.keeper.collect(process.position)
    list(LiveTable(process.state).sweep(START_MS + 7_200_000))
    process.store.checkpoint(changes)
    process.keeper.committed()
    process.checkpoint()
    assert process.store.load_live().rooms == {}


def test_a_room_of_a_checkpoint_that_was_written_but_not_answered_leaves_the_store_too(process: Process) -> None:
    process.apply(event(EventKind.ROOM_STARTED))
    process.store.checkpoint(process.keeper.collect(process.position))
    process.keeper.failed()
    list(LiveTable(process.state).sweep(START_MS + 7_200_000))
    process.checkpoint()
    assert process.store.load_live().rooms == {}
