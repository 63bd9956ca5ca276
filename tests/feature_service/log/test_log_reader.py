"""Reading a log that another process writes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from feature_service.features.events import Event, EventKind
from feature_service.log.local import LocalLog
from feature_service.log.protocol import LogError
from feature_service.log.reader import LogReader, read_log
from tests.feature_service.event_streams import event

EVENTS = [event(EventKind.LIKE, at_s, event_id=f"e{at_s}") for at_s in range(12)]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[LocalLog]:
    opened = LocalLog.open(tmp_path, segment_bytes=100)
    yield opened
    opened.close()


@pytest.fixture
def reader(tmp_path: Path, log: LocalLog) -> Iterator[LogReader]:
    opened = LogReader(tmp_path, 0)
    yield opened
    opened.close()


def _ids(found: Iterator[tuple[int, Event]]) -> list[tuple[int, str]]:
    return [(position, each.event_id) for position, each in found]


def test_a_follower_gets_each_event_once_across_segments(log: LocalLog, reader: LogReader) -> None:
    found: list[tuple[int, Event]] = []
    for each in EVENTS:
        log.append([each])
        found += reader.poll()
    assert found == list(enumerate(EVENTS))
    assert list(reader.poll()) == []


def test_a_follower_that_stops_in_the_middle_goes_on_behind_what_it_got(log: LocalLog, reader: LogReader) -> None:
    log.append(EVENTS[:3])
    assert next(reader.poll()) == (0, EVENTS[0])
    assert _ids(reader.poll()) == [(1, "e1"), (2, "e2")]


def test_a_record_that_is_not_complete_yet_is_waited_for(tmp_path: Path, log: LocalLog, reader: LogReader) -> None:
    log.append(EVENTS[:2])
    path = next(tmp_path.glob("*.log"))
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    assert _ids(reader.poll()) == [(0, "e0")]
    path.write_bytes(whole)
    assert _ids(reader.poll()) == [(1, "e1")]


def test_a_follower_may_come_before_the_log(tmp_path: Path) -> None:
    reader = LogReader(tmp_path, 0)
    assert list(reader.poll()) == []
    log = LocalLog.open(tmp_path)
    log.append(EVENTS[:1])
    assert _ids(reader.poll()) == [(0, "e0")]
    reader.close()
    log.close()


def test_large_records_are_read_too(tmp_path: Path) -> None:
    large = event(EventKind.ROOM_UPDATED, title="x" * 3_000_000)
    log = LocalLog.open(tmp_path)
    log.append([EVENTS[0], large, EVENTS[1]])
    assert [each for _, each in read_log(tmp_path, 0)] == [EVENTS[0], large, EVENTS[1]]
    log.close()


def _segments(tmp_path: Path, log: LocalLog) -> list[Path]:
    for each in EVENTS:
        log.append([each])
    return sorted(tmp_path.glob("*.log"))


def test_a_segment_that_is_cut_before_the_last_one_is_an_error(tmp_path: Path, log: LocalLog) -> None:
    second = _segments(tmp_path, log)[1]
    second.write_bytes(second.read_bytes()[:-3])
    with pytest.raises(LogError, match=rf"{second.name}: damaged record at offset \d+ \(position \d+\)"):
        list(read_log(tmp_path, 0))


def test_a_damaged_record_in_the_last_segment_is_an_error_when_good_ones_follow(tmp_path: Path) -> None:
    log = LocalLog.open(tmp_path)
    log.append(EVENTS[:3])
    path = next(tmp_path.glob("*.log"))
    path.write_bytes(path.read_bytes().replace(b"e1", b"E1"))
    found = read_log(tmp_path, 0)
    assert next(found) == (0, EVENTS[0])
    with pytest.raises(LogError, match=r"damaged record at offset \d+ \(position 1\), not at the log's end"):
        next(found)
    log.close()


def test_a_missing_segment_is_an_error(tmp_path: Path, log: LocalLog) -> None:
    segments = _segments(tmp_path, log)
    segments[1].unlink()
    with pytest.raises(LogError, match=rf"{segments[0].name}: expected a segment at position {int(segments[1].stem)}"):
        list(read_log(tmp_path, 0))
