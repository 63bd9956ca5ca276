"""The served log: writes what was shown, in the background. No answer waits for it, and none fails by it."""

import hashlib
import logging
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from queue import Empty, Full, Queue
from typing import NamedTuple

from feature_service.features.layout import Layout
from feature_service.log.protocol import LogError
from feature_service.log.record_log import RecordLog
from feature_service.rank import RankerCall
from feature_service.served.layouts import name_of, write_layout
from feature_service.served.slate import SLATES, ServedSlate, slate_of
from feature_service.trace import Outcome

MAX_WAITING = 1_000
"""Slates that may wait for the writer: at 13 kB each, 13 MB."""

SYNC_S = 1.0
"""What is written survives the end of the process; after so long at most, a loss of power too."""

_log = logging.getLogger(__name__)


class _Waiting(NamedTuple):
    """A slate with its layout; None = it has no tensors."""

    slate: ServedSlate
    layout: Layout | None


class ServedLog:
    """Takes slates from the event loop, and writes them by a thread of its own as soon as it gets to them."""

    def __init__(self, folder: Path, share: float, fingerprint: str, *, max_waiting: int = MAX_WAITING) -> None:
        """Opens the log, and starts the writer.

        Args:
            folder: Its folder; made when missing.
            share: Share of the requests that are logged, above 0, at most 1; by a hash of the request id.
            fingerprint: Of the catalogue.
            max_waiting: Slates that may wait; what comes then is dropped and counted.

        Raises:
            LogError: Another process writes the log, a record is damaged, or the folder cannot be written.
        """
        self._folder = folder
        self._share = share
        self._fingerprint = fingerprint
        self._log = RecordLog[ServedSlate].opened(folder, SLATES)
        self._queue: Queue[_Waiting | Future[int] | None] = Queue(max_waiting)
        self._names: dict[tuple[str, int], str] = {}
        self._known: set[str] = set()
        self._unsynced_since_s: float | None = None
        self._refused = self._failed = 0
        self._told = False
        self._thread = threading.Thread(target=self._write_all, name="served-log", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """Slates that were to be logged and are not."""
        return self._refused + self._failed

    def offer(self, outcome: Outcome) -> None:
        """Logs an answer, if its request is one of the share and it shows a room; never waits."""
        request_id = outcome.request.request_id
        if not outcome.cards or not is_sampled(request_id, self._share):
            return
        call = outcome.trace.ranker_call
        slate = slate_of(outcome, self._fingerprint, self._name(call) if call else "")
        try:
            self._queue.put_nowait(_Waiting(slate, call.layout if call else None))
        except Full:
            self._refused += 1
            self._tell(f"{self._queue.maxsize} wait for the writer")

    def roll(self) -> int:
        """Begins a new segment behind what waits; blocks until it has, and returns its position.

        Raises:
            LogError: It could not be made, or the log is closed.
        """
        rolled: Future[int] = Future()
        self._queue.put(rolled)
        while self._thread.is_alive():
            with suppress(TimeoutError):
                return rolled.result(SYNC_S)
        raise LogError(f"{self._folder}: expected a log that is open to begin a segment, received a closed one")

    def close(self) -> None:
        """Writes what waits, durably, and ends the writer."""
        self._queue.put(None)
        self._thread.join()
        if self.dropped:
            _log.warning("%s: %d slates were dropped", self._folder, self.dropped)

    def _name(self, call: RankerCall) -> str:
        """The name of a ranker's layout; to hash a layout takes longer than all the rest."""
        version = call.model.name, call.model.version
        if version not in self._names:
            self._names[version] = name_of(call.layout)
        return self._names[version]

    def _write_all(self) -> None:
        """The writer's thread: one slate at a time, so that it never keeps the event loop's thread waiting for long."""
        while True:
            try:
                waiting = self._queue.get(timeout=None if self._unsynced_since_s is None else SYNC_S)
            except Empty:
                self._sync()
                continue
            if waiting is None:
                break
            if isinstance(waiting, Future):
                self._roll(waiting)
            else:
                self._write(waiting)
            if self._unsynced_since_s is not None and time.monotonic() - self._unsynced_since_s > SYNC_S:
                self._sync()
        try:
            self._log.close()
        except (LogError, OSError) as error:
            self._tell(str(error))

    def _write(self, waiting: _Waiting) -> None:
        slate, layout = waiting
        try:
            if layout is not None and slate.layout not in self._known:
                write_layout(self._folder, layout)
                self._known.add(slate.layout)
            self._log.append([slate])
        except Exception as error:  # Whatever is wrong with one slate must not end the writer.
            self._failed += 1
            self._tell(f"{type(error).__name__}: {error}")
            return
        if self._unsynced_since_s is None:
            self._unsynced_since_s = time.monotonic()

    def _roll(self, rolled: Future[int]) -> None:
        try:
            self._log.sync()
            rolled.set_result(self._log.roll())
        except LogError as error:
            rolled.set_exception(error)

    def _sync(self) -> None:
        self._unsynced_since_s = None
        try:
            self._log.sync()
        except LogError as error:
            self._tell(str(error))

    def _tell(self, cause: str) -> None:
        """Says it once: a disk that is full would fill the rest with lines."""
        if not self._told:
            self._told = True
            _log.warning("%s: slates are dropped: %s", self._folder, cause)


def is_sampled(request_id: str, share: float) -> bool:
    """Whether a request is one of a share of them; the same request always is, or never."""
    digest = hashlib.blake2b(request_id.encode(), digest_size=8, person=b"served").digest()
    return int.from_bytes(digest, "little") < share * 2**64
