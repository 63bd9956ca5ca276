"""Retention of a served log: takes out users who were erased, and removes what is too old to keep."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from feature_service.features.schema import key_of
from feature_service.features.view import Context
from feature_service.log.reader import segment_at
from feature_service.log.record_log import RecordLog
from feature_service.log.rewrite import remove, rewrite
from feature_service.served.log import ServedLog
from feature_service.served.slate import SLATES, ServedSlate

DAY_MS = 86_400_000


class ServedRetention:
    """Keeps a served log to what it may hold; blocks, so it runs in a thread."""

    def __init__(self, folder: Path, served: ServedLog | None, days: float) -> None:
        """Takes over a served log.

        Args:
            folder: Its folder, which may hold what was written earlier.
            served: Writes it now, if anybody does.
            days: What is older is removed; 0 = nothing is.
        """
        self._folder = folder
        self._served = served
        self._days = days

    def erase(self, until: Mapping[int, int], marks: Sequence[bytes]) -> int:
        """Takes users out of the slates, durably; returns out of how many.

        Args:
            until: For each user's key, the event log's position at which the user was erased; later slates stay.
            marks: Bytes, one of which each slate of theirs holds; an empty one for users whose ids are not known.

        Raises:
            LogError: A segment is damaged, or could not be written.
        """

        def slate(_: int, held: ServedSlate) -> ServedSlate:
            erased = held.log_position < until.get(key_of("user", held.user_id), 0)
            return anonymous_slate(held) if erased else held

        return rewrite(self._folder, SLATES, slate, marks, self._end())

    def remove_old(self, now_ms: int) -> None:
        """Removes the segments that are too old.

        Raises:
            LogError: A segment is damaged.
        """
        if self._days:
            from_ms = now_ms - round(self._days * DAY_MS)
            remove(self._folder, segment_at(self._folder, SLATES, lambda each: each.served_ms, from_ms))

    def _end(self) -> int:
        """Ends the last segment; of a log that nobody writes any more, too."""
        if self._served is not None:
            return self._served.roll()
        if not self._folder.is_dir():
            return 0
        with closing(RecordLog[ServedSlate].opened(self._folder, SLATES)) as unused:
            return unused.roll()


def anonymous_slate(slate: ServedSlate) -> ServedSlate:
    """The slate without who it was for and what it showed."""
    return replace(
        slate, request_id="", user_id="", context=Context(), arm="", layout="", heads=(), rooms=(), tensors={}
    )
