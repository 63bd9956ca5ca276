"""Erasure in an event log at rest: the user's events are nobody's, and rooms, positions and everybody else stay."""

from pathlib import Path

from feature_service.features.events import Event, EventKind
from feature_service.features.schema import key_of
from tests.feature_service.event_streams import contents
from tests.feature_service.running_service import lean_settings
from tests.training.data.small_logs import CATALOG, END_S, event, ms, seen, started, viewer
from training.__main__ import main
from training.data.erased import Erased
from training.data.log_erasing import erase_from_log
from training.data.sample_set import build_samples
from training.data.samples_io import read_enters, read_samples
from training.data.service_log import FollowedState
from training.data.sources import read_log, write_log
from training.scan.marks import Marks
from training.scan.places import Scan, scan_files

USER, OTHER = "to-forget", "to-keep"
LATE_S = 900.0
EVENTS = [
    started("a", 0),
    *(
        each
        for at_s in (60.0, LATE_S)
        for user in (USER, OTHER)
        for each in (
            seen(at_s, user, "a", f"request-of-{user}-{at_s}"),
            viewer(EventKind.ENTER, at_s + 1, user, "a", f"request-of-{user}-{at_s}", device="phone"),
        )
    ),
    event(EventKind.ROOM_UPDATED, END_S, room_id="a"),
]
ERASED = Erased.of({key_of("user", USER): ms(LATE_S - 1)})


def written(folder: Path) -> Path:
    write_log(folder, sorted(EVENTS, key=lambda each: each.time_ms))
    return folder


def of(user: str, events: list[Event]) -> list[Event]:
    return [each for each in events if each.user_id == user]


def test_what_the_user_did_until_then_is_nobodys_and_all_else_is_the_same(tmp_path: Path) -> None:
    log = written(tmp_path / "log")
    before = list(read_log(log))
    assert erase_from_log(log, ERASED) == 1
    after = list(read_log(log))
    assert len(after) == len(before)
    changed = [(was, now) for was, now in zip(before, after, strict=True) if was != now]
    assert [was for was, _ in changed] == of(USER, before)[:2]
    assert [(now.user_id, now.request_id, now.device, now.room_id) for _, now in changed] == [("", "", "", "a")] * 2
    assert erase_from_log(log, ERASED) == 0
    assert [path.name for path in log.iterdir() if path.suffix == ".parquet"] == ["part-00000.parquet"]


def test_who_came_back_is_still_there_and_who_did_not_is_not(tmp_path: Path) -> None:
    log = written(tmp_path / "log")
    erase_from_log(log, Erased.of({key_of("user", USER): ms(END_S)}))
    scan_files(Marks(USER), str(log), scan := Scan.new())
    assert scan.found == []


def test_replay_makes_no_samples_and_no_visits_of_nobody(tmp_path: Path) -> None:
    log = written(tmp_path / "log")
    erase_from_log(log, ERASED)
    build_samples(log, tmp_path / "samples", settings=lean_settings())
    users = read_samples(tmp_path / "samples").slates.user.tolist()
    assert users == [key_of("user", each) for each in (OTHER, USER, OTHER)]
    assert read_enters(tmp_path / "samples").user.tolist() == users


def test_rooms_remember_what_they_did(tmp_path: Path) -> None:
    log = written(tmp_path / "log")
    before = rooms_of(log)
    erase_from_log(log, ERASED)
    assert contents(rooms_of(log).state) == contents(before.state)


def rooms_of(log: Path) -> FollowedState:
    state = FollowedState(CATALOG, viewers=False)
    for each in read_log(log):
        state.apply(each)
    return state


def test_the_verb_takes_logs(tmp_path: Path) -> None:
    log = written(tmp_path / "log")
    noted = tmp_path / "erasures.jsonl"
    noted.write_text(f'{{"key": {key_of("user", USER)}, "time_ms": {ms(END_S)}, "position": 1, "user_id": ""}}\n')
    assert main(["erase", "--erasures", str(noted), "--log", str(log)]) == 0
    assert of(USER, list(read_log(log))) == []
