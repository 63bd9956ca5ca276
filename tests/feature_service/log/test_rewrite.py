"""Rewriting a log: what changes, what stays as it was, and what a crash or a reader in the middle makes of it."""

from pathlib import Path

import pytest

from feature_service.features.events import Event, EventKind
from feature_service.log.codec import EVENTS
from feature_service.log.local import LocalLog
from feature_service.log.protocol import LogError
from feature_service.log.reader import LogReader, read_log
from feature_service.log.rewrite import remove, rewrite
from feature_service.log.segment import first_positions, segment_path
from tests.feature_service.event_streams import event

EVENTS_ = [event(EventKind.ENTER, at_s, event_id=f"e{at_s}", user_id=f"user-{at_s % 3}") for at_s in range(20)]


def renamed(_: int, held: Event) -> Event:
    return held._replace(user_id="nobody") if held.user_id == "user-1" else held


RENAMED = [renamed(0, each) for each in EVENTS_]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A log of twenty events in segments of a few, the last of them empty."""
    log = LocalLog.open(tmp_path, segment_bytes=200)
    for each in EVENTS_:
        log.append([each])
    assert log.roll() == len(EVENTS_) == log.roll()
    log.close()
    assert len(first_positions(tmp_path)) > 4
    return tmp_path


def rewrite_all(folder: Path, before: int = len(EVENTS_)) -> int:
    return rewrite(folder, EVENTS, renamed, [b"user-1"], before)


def test_records_are_exchanged_and_positions_stay(folder: Path) -> None:
    firsts = first_positions(folder)
    assert rewrite_all(folder) == 7
    assert list(read_log(folder, 0)) == list(enumerate(RENAMED))
    assert first_positions(folder) == firsts
    assert not any(b"user-1" in path.read_bytes() for path in folder.iterdir())
    assert rewrite_all(folder) == 0


def test_a_segment_without_the_mark_is_not_touched(folder: Path) -> None:
    before = {path: path.stat().st_ino for path in folder.glob("*.log")}
    assert rewrite(folder, EVENTS, renamed, [b"user-7"], len(EVENTS_)) == 0
    assert {path: path.stat().st_ino for path in folder.glob("*.log")} == before


def test_segments_that_reach_beyond_the_position_stay_as_they_are(folder: Path) -> None:
    second, third = first_positions(folder)[1:3]
    rewrite_all(folder, before=third - 1)
    assert [each for _, each in read_log(folder, 0)] == RENAMED[:second] + EVENTS_[second:]


def test_the_last_segment_is_the_writers(tmp_path: Path) -> None:
    log = LocalLog.open(tmp_path)
    log.append(EVENTS_)
    assert rewrite_all(tmp_path) == 0
    log.roll()
    assert rewrite_all(tmp_path) == 7
    log.append(EVENTS_[:1])
    log.close()
    assert [each for _, each in read_log(tmp_path, 0)] == [*RENAMED, EVENTS_[0]]


def test_a_reader_in_the_middle_reads_every_record_once(folder: Path) -> None:
    reader = LogReader(folder, 0)
    polled = reader.poll()
    read = [next(polled) for _ in range(2)]
    rewrite_all(folder)
    read += list(polled)
    assert [position for position, _ in read] == list(range(len(EVENTS_)))
    reader.close()


def test_what_a_crash_has_left_is_no_segment_and_is_written_over(folder: Path) -> None:
    leftover = segment_path(folder, 0).with_suffix(".new")
    leftover.write_bytes(b"half a segment")
    assert len(list(read_log(folder, 0))) == len(EVENTS_)
    rewrite_all(folder)
    assert not leftover.exists()


def test_a_damaged_segment_is_refused_and_left(folder: Path) -> None:
    path = segment_path(folder, 0)
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(LogError, match="damaged record at offset"):
        rewrite_all(folder)
    assert len(path.read_bytes()) == len(data)


def test_old_segments_are_removed_up_to_a_position_but_never_the_last(folder: Path) -> None:
    firsts = first_positions(folder)
    assert remove(folder, firsts[2] + 1) == 2
    assert [position for position, _ in read_log(folder, firsts[2])] == list(range(firsts[2], len(EVENTS_)))
    with pytest.raises(LogError, match=rf"expected a position of {firsts[2]} \(the log's first\) or more, received 0"):
        list(read_log(folder, 0))
    remove(folder, 1_000)
    assert first_positions(folder) == firsts[-1:]
