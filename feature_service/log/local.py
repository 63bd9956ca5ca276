"""The local event log: a log of records on this machine, whose records are events."""

from pathlib import Path
from typing import Self

from feature_service.features.events import Event
from feature_service.log.codec import EVENTS
from feature_service.log.reader import segment_at
from feature_service.log.record_log import SEGMENT_BYTES, RecordLog


class LocalLog(RecordLog[Event]):
    """An `EventLog` in a folder."""

    @classmethod
    def open(cls, folder: Path, base: int = 0, segment_bytes: int = SEGMENT_BYTES) -> Self:
        """Opens an event log for writing; see `RecordLog.opened`.

        Args:
            folder: Its folder.
            base: Position of the first event of a new log; more than 0 when records of a checkpoint go before it.
            segment_bytes: Size at which a new segment begins.

        Raises:
            LogError: Another process writes the log, a record is damaged, or the folder cannot be written.
        """
        return cls.opened(folder, EVENTS, base, segment_bytes)

    def since(self, received_ms: int) -> int:
        """The position of a segment that begins no later than what was received then; see `EventLog`."""
        return segment_at(self._folder, EVENTS, lambda event: event.received_ms or event.time_ms, received_ms)
