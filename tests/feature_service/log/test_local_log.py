"""The local log: what every log does, group sync, recovery, and what happens when the disk does not play along."""

import asyncio
import errno
import logging
import os
import resource
import socket
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from feature_service.features.events import Event
from feature_service.log.local import LocalLog
from feature_service.log.protocol import EventLog, LogError
from feature_service.log.reader import read_log
from feature_service.log.rewrite import remove
from feature_service.log.segment import first_positions
from tests.feature_service.event_streams import START_MS
from tests.feature_service.log.log_contract import EVENTS, LogContract

SEGMENT_BYTES = 200


class TestLocalLog(LogContract):
    SINCE_GRAIN = 6  # A segment.

    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path) -> None:
        self._folder = tmp_path

    def opened(self) -> LocalLog:
        return LocalLog.open(self._folder, segment_bytes=SEGMENT_BYTES)

    def forget(self, log: EventLog) -> int:
        remove(self._folder, log.position // 2)
        return first_positions(self._folder)[0]


@contextmanager
def _opened(folder: Path, base: int = 0, segment_bytes: int = 1 << 20) -> Generator[LocalLog]:
    log = LocalLog.open(folder, base, segment_bytes)
    try:
        yield log
    finally:
        log.close()


def _write(folder: Path, events: list[Event], segment_bytes: int = 1 << 20) -> None:
    with _opened(folder, segment_bytes=segment_bytes) as log:
        for each in events:
            log.append([each])


def _segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.log"))


def test_a_log_may_begin_behind_a_checkpoint(tmp_path: Path) -> None:
    with _opened(tmp_path, base=1_000) as log:
        assert log.append(EVENTS[:1]) == 1_001
        assert list(log.read(1_000)) == [(1_000, EVENTS[0])]
        with pytest.raises(LogError, match=r"expected a position of 1000 \(the log's first\) or more, received 999"):
            list(log.read(999))


def test_a_full_segment_is_followed_by_the_next(tmp_path: Path) -> None:
    _write(tmp_path, EVENTS, segment_bytes=SEGMENT_BYTES)
    assert len(_segments(tmp_path)) > 3
    with _opened(tmp_path, segment_bytes=SEGMENT_BYTES) as log:
        assert log.position == len(EVENTS)
        assert list(log.read(0)) == list(enumerate(EVENTS))
        assert list(log.read(7)) == list(enumerate(EVENTS))[7:]


def test_since_is_the_base_of_an_empty_log(tmp_path: Path) -> None:
    with _opened(tmp_path, base=9) as log:
        assert log.since(START_MS) == 9


def test_a_second_writer_is_refused_and_told_by_whom(tmp_path: Path) -> None:
    said = f"expected to be the only writer, but process {os.getpid()} on {socket.gethostname()} writes this log"
    with _opened(tmp_path), pytest.raises(LogError, match=said):
        LocalLog.open(tmp_path)
    with _opened(tmp_path) as log:
        assert log.position == 0


def test_what_another_host_wrote_a_moment_ago_is_refused_until_it_closes_it_or_is_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "first")
    with _opened(tmp_path) as log:
        log.append(EVENTS[:1])
        left = (tmp_path / "lock").read_text()
    monkeypatch.setattr(socket, "gethostname", lambda: "second")
    _write(tmp_path, EVENTS[1:2])

    (tmp_path / "lock").write_text(left)  # As if the first had died, or the folder shared no locks.
    said = f"expected a log of one host, but process {os.getpid()} on first wrote it 0 s ago; several hosts need"
    with pytest.raises(LogError, match=said):
        LocalLog.open(tmp_path)
    for file in tmp_path.iterdir():
        os.utime(file, (0, time.time() - 61))
    _write(tmp_path, EVENTS[2:3])
    assert list(read_log(tmp_path, 0)) == list(enumerate(EVENTS[:3]))


def test_a_folder_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LogError, match="file/log: expected a folder to write the log in: Not a directory"):
        LocalLog.open(tmp_path / "file" / "log")


async def test_many_acknowledgements_share_a_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", synced.append)
    with _opened(tmp_path) as log:
        await asyncio.gather(*(log.durable(log.append([each])) for each in EVENTS))
        # One sync may start with the first event alone; a second one covers the rest.
        assert 1 <= len(synced) <= 2
        await log.durable(log.position)
        assert len(synced) <= 2


async def test_an_event_is_durable_only_after_a_sync_that_began_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    monkeypatch.setattr(os, "fdatasync", lambda file: sizes.append(os.fstat(file).st_size))
    with _opened(tmp_path) as log:
        for each in EVENTS[:3]:
            position = log.append([each])
            size = _segments(tmp_path)[0].stat().st_size
            await log.durable(position)
            assert sizes[-1] >= size


async def test_an_event_appended_during_a_sync_waits_for_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on, synced = threading.Event(), threading.Event(), list[int]()

    def slow(file: int) -> None:
        begun.set()
        go_on.wait()
        synced.append(file)

    monkeypatch.setattr(os, "fdatasync", slow)
    with _opened(tmp_path) as log:
        first = asyncio.ensure_future(log.durable(log.append(EVENTS[:1])))
        await asyncio.to_thread(begun.wait)
        position = log.append(EVENTS[1:2])
        go_on.set()
        await first
        assert len(synced) == 1
        await log.durable(position)
        assert len(synced) == 2


async def test_a_sync_covers_the_segments_that_were_filled_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: set[int] = set()
    monkeypatch.setattr(os, "fdatasync", lambda file: synced.add(os.fstat(file).st_ino))
    with _opened(tmp_path, segment_bytes=SEGMENT_BYTES) as log:
        for each in EVENTS:
            log.append([each])
        await log.durable(log.position)
        assert synced == {path.stat().st_ino for path in _segments(tmp_path)}


def _no_space(file: int) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


async def test_a_failed_sync_acknowledges_nothing_and_stops_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = LocalLog.open(tmp_path)
    position = log.append(EVENTS[:2])
    monkeypatch.setattr(os, "fdatasync", _no_space)
    for outcome in await asyncio.gather(log.durable(1), log.durable(position), return_exceptions=True):
        assert isinstance(outcome, LogError)
        assert "the log could not be synced: No space left on device; open it again" in str(outcome)
    monkeypatch.undo()
    # The kernel may have dropped the pages, so a later sync that works proves nothing.
    with pytest.raises(LogError, match="open it again"):
        log.append(EVENTS[2:3])
    log.close()


@contextmanager
def _file_size_limit(size: int) -> Generator[None]:
    """The kernel refuses to write files beyond a size, as it does when the disk is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_batch_that_does_not_fit_the_disk_leaves_nothing(tmp_path: Path) -> None:
    with _opened(tmp_path) as log:
        log.append(EVENTS[:1])
        size = _segments(tmp_path)[0].stat().st_size
        # Room for the next event and half of the one after it.
        with _file_size_limit(size * 5 // 2), pytest.raises(LogError, match="3 records not written: File too large"):
            log.append(EVENTS[1:4])
        assert _segments(tmp_path)[0].stat().st_size == size
        assert log.position == 1
        assert log.append(EVENTS[4:5]) == 2
        assert [each for _, each in log.read(0)] == [EVENTS[0], EVENTS[4]]


@pytest.mark.parametrize("cut", [1, 7, 8, 9, 30])
def test_a_torn_last_record_is_cut_off_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, cut: int
) -> None:
    _write(tmp_path, EVENTS[:2])
    whole = _segments(tmp_path)[0].read_bytes()
    _write(tmp_path, EVENTS[2:3])
    path = _segments(tmp_path)[0]
    path.write_bytes(path.read_bytes()[: len(whole) + cut])
    with caplog.at_level(logging.WARNING), _opened(tmp_path) as log:
        assert log.position == 2
        assert caplog.messages == [f"{path}: cut off {cut} bytes of a torn record at offset {len(whole)}"]
        log.append(EVENTS[3:4])
        assert list(log.read(0)) == [(0, EVENTS[0]), (1, EVENTS[1]), (2, EVENTS[3])]


def test_damage_before_good_records_is_an_error_that_names_the_place(tmp_path: Path) -> None:
    _write(tmp_path, EVENTS[:3])
    path = _segments(tmp_path)[0]
    data = bytearray(path.read_bytes())
    third = len(data) // 3
    data[third + 20] ^= 1
    path.write_bytes(data)
    with pytest.raises(LogError, match=rf"{path.name}: damaged record at offset {third}, good records follow it"):
        LocalLog.open(tmp_path)
    assert path.read_bytes() == data
