"""The live table: which rooms are on air, over the room records of the state."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from feature_service.features.events import MAX_LATENESS_MS, Event, EventKind
from feature_service.features.schema import key_of
from feature_service.features.state import State

Rows = NDArray[np.intp]
"""Rows of the state's room table."""

_ROOM_EVENTS = (EventKind.ROOM_STARTED, EventKind.ROOM_UPDATED, EventKind.ROOM_ENDED, EventKind.ROOM_BLOCKED)


class LiveTable:
    """The rooms on air.

    A room is on air from `room_started` until it ends, is blocked, or its lease runs out. The records of an ended room
    stay as a tombstone for `MAX_LATENESS_MS`, so that no late event lets it rise again; then `sweep` frees them.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._known: set[int] = set()
        self._streamer_rows = np.zeros(1, np.intp)
        self._row_of_streamer: dict[int, int] = {}
        self._rows: Rows = np.zeros(0, np.intp)
        self._valid_until_ms = -1
        for key in state.rooms:
            self._register(state.rooms.find(key))

    def learn(self, event: Event) -> int | None:
        """Follows an event that the state has applied.

        Returns:
            The room's row when the event may have changed its vector or its presence, else None.
        """
        if event.kind not in _ROOM_EVENTS:
            return None
        row = self._state.rooms.find(key_of("room", event.room_id))
        if not row:
            return None
        if row not in self._known or event.kind is not EventKind.ROOM_UPDATED or not self.on_air(row, event.time_ms):
            self._valid_until_ms = -1
        self._register(row)
        return row

    def rows(self, now_ms: int) -> Rows:
        """Rows of the rooms on air, ascending."""
        if now_ms >= self._valid_until_ms:
            known = np.fromiter(self._known, np.intp, len(self._known))
            known.sort()
            self._rows = known[self.mask(known, now_ms)]
            self._rows.setflags(write=False)
            leases_ms = self._state.rooms.fields["lease_until_ms"][self._rows]
            self._valid_until_ms = int(leases_ms.min()) if len(leases_ms) else np.iinfo(np.int64).max
        return self._rows

    def mask(self, rows: Rows, now_ms: int) -> NDArray[np.bool_]:
        """Which of these rooms are on air, bool [n]."""
        fields = self._state.rooms.fields
        return (
            (fields["lease_until_ms"][rows] > now_ms)
            & (fields["started_ms"][rows] > 0)
            & (fields["ended_ms"][rows] == 0)
            & (fields["blocked_ms"][rows] == 0)
        )

    def on_air(self, row: int, now_ms: int) -> bool:
        """Whether one room is on air."""
        return bool(self.mask(np.array([row]), now_ms)[0])

    def streamer_rows(self, rows: Rows) -> Rows:
        """Rows of these rooms' streamers in the state's streamer table; 0 = unknown."""
        return self._streamer_rows[rows]

    def rows_of_streamers(self, streamer_keys: NDArray[np.int64], now_ms: int) -> Rows:
        """The room on air of each streamer, or 0."""
        find = self._row_of_streamer.get
        rows = np.array([find(key, 0) for key in streamer_keys.tolist()], np.intp)
        return np.where(self.mask(rows, now_ms), rows, 0)

    def sweep(self, now_ms: int) -> Iterator[int]:
        """Frees rooms that have been off air for longer than a late event can be; yields their rows first."""
        for row in [row for row in self._known if self._off_air_since_ms(row) < now_ms - MAX_LATENESS_MS]:
            yield row
            self._known.discard(row)
            fields = self._state.rooms.fields
            streamer = int(fields["streamer"][row])
            if self._row_of_streamer.get(streamer) == row:
                del self._row_of_streamer[streamer]
            key = int(fields["key"][row])
            self._state.facts.rooms.pop(key, None)
            self._state.rooms.remove(key)

    def _off_air_since_ms(self, row: int) -> int:
        fields = self._state.rooms.fields
        gone_ms = max(int(fields["ended_ms"][row]), int(fields["blocked_ms"][row]))
        return gone_ms or int(fields["lease_until_ms"][row])

    def _register(self, row: int) -> None:
        self._known.add(row)
        if row >= len(self._streamer_rows):
            grown = np.zeros(max(row + 1, 2 * len(self._streamer_rows)), np.intp)
            grown[: len(self._streamer_rows)] = self._streamer_rows
            self._streamer_rows = grown
        fields = self._state.rooms.fields
        streamer = int(fields["streamer"][row])
        self._streamer_rows[row] = self._state.streamers.find(streamer)
        held = self._row_of_streamer.get(streamer, 0)
        if not held or fields["started_ms"][row] >= fields["started_ms"][held]:
            self._row_of_streamer[streamer] = row
