"""Impressions by request: which of them a served slate explains."""

from collections.abc import Sequence
from enum import Enum

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from feature_service.features.events import EventKind
from feature_service.features.schema import key_of
from training.data.id_columns import Ints, keys_in, repeats

SEEN_WITHIN_MS = 3_600_000
"""An impression that comes later after its slate was served tells of another moment than the features do."""

SEEN_BEFORE_MS = 600_000
"""So much earlier than its slate an impression may seem to be, by a viewer's clock."""

EARLIER_MS = SEEN_WITHIN_MS + SEEN_BEFORE_MS
"""A slate this much earlier than another may have claimed an impression that the other would claim too."""


class Claim(Enum):
    """Why a slate claims no impression."""

    UNSEEN = "unseen"
    REPEATED = "repeated"


class Impressions:
    """The impressions of a log that were seen and carry a request, each event id once.

    Each is claimed by the first slate of its user and request that shows its room, was served at most `SEEN_WITHIN_MS`
    before it, and at most `SEEN_BEFORE_MS` after it. So a slate that was logged twice counts once, and the pages of one
    request, which share no room, count all.
    """

    def __init__(self, table: pa.Table) -> None:
        """Looks through a log; takes some 60 bytes an impression, and 200 a request.

        Args:
            table: `JOIN_COLUMNS` of it.
        """
        kind = table["kind"].to_numpy()
        among = (kind == EventKind.IMPRESSION) & ~table["sampled"].to_numpy()
        among &= ~repeats(table["event_id"], kind == EventKind.IMPRESSION)
        rows = np.flatnonzero(among)
        seen = table.select(["user_id", "request_id", "room_id"]).take(pa.array(rows))
        carries = np.array([bool(request) for request in seen["request_id"].to_pylist()], np.bool_)
        rows, seen = rows[carries], seen.filter(pa.array(carries))
        self._requests: dict[tuple[str, str], int] = {}
        asked = zip(seen["user_id"].to_pylist(), seen["request_id"].to_pylist(), strict=True)
        codes = np.array([self._requests.setdefault(each, len(self._requests)) for each in asked], np.int64)
        order = np.argsort(codes, kind="stable")
        self._starts = np.searchsorted(codes[order], np.arange(len(self._requests) + 1))
        self._rows = rows[order]
        self._rooms = keys_in("room", seen["room_id"])[order]
        self._times_ms = table["time_ms"].to_numpy()[self._rows]
        self._claimed = np.zeros(len(rows), np.bool_)

    def __len__(self) -> int:
        """Number of impressions."""
        return len(self._rows)

    @property
    def claimed(self) -> int:
        """How many of them were claimed so far."""
        return int(self._claimed.sum())

    def claim(
        self, user_id: str, request_id: str, room_ids: Sequence[str], served_ms: int
    ) -> tuple[NDArray[np.intp], Ints] | Claim:
        """Takes the impressions that a slate explains.

        Args:
            user_id: Who asked.
            request_id: Names the answer.
            room_ids: The slate.
            served_ms: When it was served, Unix milliseconds.

        Returns:
            Places in the slate, ascending, and the position of an impression of each in the log, int64 [n]; or why
            there is none.
        """
        code = self._requests.get((user_id, request_id))
        if code is None:
            return Claim.UNSEEN
        part = slice(self._starts[code], self._starts[code + 1])
        rooms = np.array([key_of("room", room) for room in room_ids], np.int64)
        after_ms = self._times_ms[part] - served_ms
        soon = (after_ms >= -SEEN_BEFORE_MS) & (after_ms <= SEEN_WITHIN_MS)
        places, found = np.nonzero((rooms[:, None] == self._rooms[part]) & soon & ~self._claimed[part])
        if not len(places):
            return Claim.REPEATED if self._claimed[part].any() else Claim.UNSEEN
        self._claimed[part][found] = True
        return places, self._rows[part][found]
