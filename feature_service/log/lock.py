"""The lock of a local log: one process writes it, and all its writers are on one host."""

import fcntl
import os
import socket
import time
from pathlib import Path

from feature_service.log.protocol import LogError
from feature_service.log.segment import first_positions, segment_path

FRESH_S = 60.0
"""Whoever wrote so lately may still be there, even if its lock is not seen: not every shared folder shares locks."""

_LOCK = "lock"


def take_lock(folder: Path) -> int:
    """Becomes the log's only writer; returns the open lock file.

    Raises:
        LogError: Another process writes the log, or one of another host has a moment ago.
    """
    lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        holder = os.pread(lock, 300, 0).decode(errors="replace")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            held = holder or "another process"
            raise LogError(f"{folder}: expected to be the only writer, but {held} writes this log") from None
        _check_host(folder, holder)
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
    except BaseException:
        os.close(lock)
        raise
    return lock


def release_lock(lock: int) -> None:
    """Lets another process write, of whatever host."""
    os.ftruncate(lock, 0)
    os.close(lock)


def _check_host(folder: Path, holder: str) -> None:
    """Refuses what another host has not closed, unless it has been silent since."""
    _, named, host = holder.partition(" on ")
    if not named or host == socket.gethostname():
        return
    files = [folder / _LOCK, *(segment_path(folder, first) for first in first_positions(folder)[-1:])]
    silent_s = time.time() - max(file.stat().st_mtime for file in files)
    if silent_s < FRESH_S:
        raise LogError(
            f"{folder}: expected a log of one host, but {holder} wrote it {silent_s:.0f} s ago; several hosts need a "
            f"log in Kafka (log.address), and whoever takes over from a dead one waits {FRESH_S:.0f} s"
        )
