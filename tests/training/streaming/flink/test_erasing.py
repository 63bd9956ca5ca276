"""Erasure around a Flink job: what has landed, what the job tells, and the hours, without a user; nothing else goes."""

from pathlib import Path

import pytest

from feature_service.features.events import Event, EventKind
from feature_service.features.schema import key_of
from feature_service.log.codec import EVENTS
from feature_service.served.slate import SLATES
from tests.training.streaming.flink.test_shards import Flow, run
from tests.training.streaming.service_logs import START_MS, ServiceLogs, closed, made_up
from training.data.erased import Erased
from training.data.hours import HOUR_MS
from training.data.samples_io import read_enters, read_samples
from training.scan.marks import Marks
from training.scan.places import Scan, scan_files
from training.streaming.flink.committing import Committer
from training.streaming.flink.erasing import RECORDS_FOLDER, JobErasing, LandedErasing
from training.streaming.flink.landing import EVENTS_FOLDER, SLATES_FOLDER, land, record_of
from training.streaming.flink.parts import arrays_of_line
from training.streaming.flink.plan import PARTS

USER = "user-1"
KEY = key_of("user", USER)


def where(folder: Path) -> list[str]:
    """The files that hold the user."""
    scan_files(Marks(USER), str(folder), scan := Scan.new())
    assert scan.closed == []
    return [each.place for each in scan.found]


def landed(folder: Path) -> list[tuple[int, bytes]]:
    return [record_of(line) for path in sorted(folder.glob("*")) for line in path.read_text().splitlines()]


@pytest.fixture
def logs(tmp_path: Path) -> ServiceLogs:
    """Logs whose hours are over."""
    logs, events = made_up(tmp_path, 51)
    logs.append(closed(events), at_once=100)
    return logs


def test_what_has_landed_says_no_more_who_it_was(logs: ServiceLogs) -> None:
    folders = {EVENTS_FOLDER: logs.data / EVENTS_FOLDER, SLATES_FOLDER: logs.data / SLATES_FOLDER}
    erased = Erased.of({KEY: START_MS + 100 * HOUR_MS})
    for name, log in ((EVENTS_FOLDER, logs.log), (SLATES_FOLDER, logs.served)):
        list(land(log, str(folders[name])))
        before = landed(folders[name])
        assert where(folders[name])
        erasing = LandedErasing(str(folders[name]), name)
        assert [erasing.erase(erased) for _ in range(2)] == [1, 0]
        after = landed(folders[name])
        assert where(folders[name]) == []
        assert [position for position, _ in after] == [position for position, _ in before]
        codec = EVENTS if name == EVENTS_FOLDER else SLATES
        others = [payload for _, payload in before if codec.from_bytes(payload).user_id != USER]
        assert [payload for _, payload in after if codec.from_bytes(payload).user_id] == [
            payload for payload in others if codec.from_bytes(payload).user_id
        ]
        assert list(land(log, str(folders[name]))) == []  # It goes on where it was.
    events = [EVENTS.from_bytes(payload) for _, payload in landed(folders[EVENTS_FOLDER])]
    assert sum(each.kind is EventKind.IMPRESSION and not each.user_id for each in events) > 0


def test_parts_of_hours_that_are_over_go_and_no_revision_is_missed(logs: ServiceLogs) -> None:
    run(logs, flow := Flow(logs.data / "out"))
    parts = logs.data / "out" / PARTS
    moments = sorted(parts.iterdir(), key=lambda path: int(path.stem.removeprefix("part-")))
    held = [path.read_text() for path in moments]
    for path in moments:
        path.unlink()
    committer = Committer(str(flow.out), str(flow.out / "hours"))
    last = list[int]()
    for path, text in zip(moments, held, strict=True):  # As a job puts them down.
        path.write_text(text)
        last += [each.hour for each in committer.commit() if each.revision == 4]
        committer.forget()
    assert last == sorted({*range(last[0], last[-1] + 1)})
    final = committer.final
    assert final is not None
    newest = {
        path: max(int(line.split(" ")[0]) for line in text.splitlines())
        for path, text in zip(moments, held, strict=True)
    }
    assert {*parts.iterdir()} == {path for path, hour in newest.items() if hour >= final}
    assert len(list(parts.iterdir())) < len(moments) / 2
    assert Committer(str(flow.out), str(flow.out / "hours")).forget() == 0  # Another one knows of no hour that is over.


def test_hours_and_records_lose_the_user_when_all_that_tells_of_them_is_over(tmp_path: Path) -> None:
    logs, events = made_up(tmp_path, 52)
    erased_ms = events[-1].received_ms + 1
    erasure = Event("erased", EventKind.USER_ERASED, erased_ms, user_id=USER, received_ms=erased_ms)
    logs.append(closed([*events, erasure]), at_once=100)
    run(logs, flow := Flow(logs.data / "out"))
    records = flow.out / RECORDS_FOLDER
    records.mkdir()
    (records / "part-1.lines").write_text("\n".join(flow.records) + "\n")
    list((committer := Committer(str(flow.out), str(flow.out / "hours"))).commit())
    before, visits = read_samples(flow.out / "hours").slates, read_enters(flow.out / "hours")
    assert KEY in before.user
    assert committer.final is not None
    erasing, erased = JobErasing(str(flow.out), str(flow.out / "hours")), Erased.of({KEY: erased_ms})
    erasing.erase(erased, erased_ms // HOUR_MS - 1)
    assert KEY in read_samples(flow.out / "hours").slates.user
    erasing.erase(erased, committer.final)
    assert where(flow.out / "hours") == []
    assert where(records) == []
    assert read_samples(flow.out / "hours").slates.time_ms.tolist() == before.time_ms[before.user != KEY].tolist()
    assert len(read_enters(flow.out / "hours").user) == int((visits.user != KEY).sum())
    users = [arrays_of_line(line).get("users") for line in (records / "part-1.lines").read_text().splitlines()]
    told = {key for held in users if held is not None for key in held["key"].tolist()}
    assert told == {key_of("user", f"user-{number}") for number in (0, 2, 3, 4)} | ({key_of("user", "other")} & told)
    assert not list(Committer(str(flow.out), str(flow.out / "hours")).commit())  # The parts do not bring them back.
