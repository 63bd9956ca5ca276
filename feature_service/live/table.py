"""The live table: which rooms are on air, over the room records of the state."""

from collections.abc import Iterator, Mapping
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from feature_service.features.events import MAX_LATENESS_MS, Event, EventKind
from feature_service.features.schema import key_of
from feature_service.features.state import State

Rows = NDArray[np.intp]
"""Rows of the state's room table."""

ROOM_EVENTS = (EventKind.ROOM_STARTED, EventKind.ROOM_UPDATED, EventKind.ROOM_ENDED, EventKind.ROOM_BLOCKED)


class LiveTable:
    """The rooms on air.

    A room is on air from `room_started` until it ends, is blocked, or its lease runs out. The records of an ended room
    stay as a tombstone for `MAX_LATENESS_MS`, so that no late event lets it rise again; then `sweep` frees them. So it
    does with a room of which only viewers' events have come: one that was swept before, or was never started.
    """

    def __init__(self, state: State, told_ms: Mapping[int, int] | None = None) -> None:
        """Lists the rooms of a state.

        Args:
            state: The records.
            told_ms: What `told_ms` of an earlier table over these records has said; without it, a room of which only
                viewers' events have come stays longer.
        """
        self._state = state
        self._told_ms: dict[int, int] = {}  # Time of the first event of each room's row.
        self._streamer_rows = np.zeros(1, np.intp)
        self._row_of_streamer: dict[int, int] = {}
        self._rows: Rows = np.zeros(0, np.intp)
        self._listed = np.zeros(1, np.bool_)
        self._until_ms = np.zeros(1, np.int64)  # When each room goes off air without a renewal; 0 = it is.
        self._valid_until_ms = -1
        newest_ms = int(state.rooms.fields["lease_until_ms"].max())
        for key in state.rooms:
            self._register(state.rooms.find(key), (told_ms or {}).get(key, newest_ms))

    @property
    def told_ms(self) -> dict[int, int]:
        """Time of the first event of each room, by key, Unix milliseconds."""
        keys = self._state.rooms.fields["key"]
        return {int(keys[row]): time_ms for row, time_ms in self._told_ms.items()}

    def learn(self, event: Event) -> int | None:
        """Follows an event that the state has applied.

        Returns:
            The room's row when the event may have changed its vector or its presence, else None.
        """
        row = self._state.rooms.find(key_of("room", event.room_id))
        is_room_event = event.kind in ROOM_EVENTS
        if not row or (row in self._told_ms and not is_room_event):
            return None
        self._register(row, event.time_ms)
        # A renewal of a room that is listed changes nothing before the next lease runs out; with twenty thousand rooms
        # that is most of the events.
        if event.kind is not EventKind.ROOM_UPDATED or not self._listed[row]:
            self._valid_until_ms = -1
        if event.kind in (EventKind.ROOM_ENDED, EventKind.ROOM_BLOCKED):
            self._fall_back(row, event.time_ms)
        return row if is_room_event else None

    def renew(self, rows: Rows, now_ms: int) -> None:
        """Follows room records that somebody else has changed, or that are new."""
        for row in rows.tolist():
            self._register(row, now_ms)
        on_air = self.mask(rows, now_ms)
        if (self._listed[rows] != on_air).any():
            self._valid_until_ms = -1
        for row in rows[~on_air].tolist():
            self._fall_back(row, now_ms)

    def forget(self, row: int) -> None:
        """Frees a room, with its record and facts."""
        if self._listed[row]:
            self._valid_until_ms = -1
        del self._told_ms[row]
        fields = self._state.rooms.fields
        streamer = int(fields["streamer"][row])
        if self._row_of_streamer.get(streamer) == row:
            del self._row_of_streamer[streamer]
        self._until_ms[row] = 0
        key = int(fields["key"][row])
        self._state.facts.rooms.pop(key, None)
        self._state.rooms.remove(key)

    def rows(self, now_ms: int) -> Rows:
        """Rows of the rooms on air, ascending."""
        if now_ms >= self._valid_until_ms:
            known = np.fromiter(self._told_ms, np.intp, len(self._told_ms))
            known.sort()
            self._rows = known[self.mask(known, now_ms)]
            self._rows.setflags(write=False)
            self._listed[:] = False
            self._listed[self._rows] = True
            leases_ms = self._until_ms[self._rows]
            self._valid_until_ms = int(leases_ms.min()) if len(leases_ms) else np.iinfo(np.int64).max
        return self._rows

    def mask(self, rows: Rows, now_ms: int) -> NDArray[np.bool_]:
        """Which of these rooms are on air, bool [n]."""
        return self._until_ms[rows] > now_ms

    def on_air(self, row: int, now_ms: int) -> bool:
        """Whether one room is on air."""
        return bool(self.mask(np.array([row]), now_ms)[0])

    def streamer_rows(self, rows: Rows) -> Rows:
        """Rows of these rooms' streamers in the state's streamer table; 0 = unknown."""
        return self._streamer_rows[rows]

    def rows_of_streamers(self, streamer_keys: NDArray[np.int64], now_ms: int) -> Rows:
        """The room on air of each streamer, or 0."""
        found = map(self._row_of_streamer.get, streamer_keys.tolist(), repeat(0))
        rows = np.fromiter(found, np.intp, len(streamer_keys))  # Half the time of a list that becomes an array.
        return np.where(self.mask(rows, now_ms), rows, 0)

    def sweep(self, now_ms: int) -> Iterator[int]:
        """Frees rooms that are gone; yields their rows first."""
        for row in [row for row in self._told_ms if self.is_gone(row, now_ms)]:
            yield row
            self.forget(row)

    def is_gone(self, row: int, now_ms: int) -> bool:
        """Whether a room has been off air for longer than a late event can be."""
        return self._off_air_since_ms(row) < now_ms - MAX_LATENESS_MS

    def _fall_back(self, row: int, now_ms: int) -> None:
        """A room went off air: its streamer may have an older one that goes on."""
        fields = self._state.rooms.fields
        streamer = int(fields["streamer"][row])
        if self._row_of_streamer.get(streamer) != row:
            return
        on_air = self.rows(now_ms)
        others = on_air[fields["streamer"][on_air] == streamer]
        if len(others):
            self._row_of_streamer[streamer] = int(others[np.argmax(fields["started_ms"][others])])

    def _off_air_since_ms(self, row: int) -> int:
        fields = self._state.rooms.fields
        gone_ms = max(int(fields["ended_ms"][row]), int(fields["blocked_ms"][row]))
        return gone_ms or int(fields["lease_until_ms"][row]) or self._told_ms[row]

    def _register(self, row: int, time_ms: int) -> None:
        self._told_ms.setdefault(row, time_ms)
        if row >= len(self._listed):
            more = max(row + 1 - len(self._listed), len(self._listed))
            self._streamer_rows = np.append(self._streamer_rows, np.zeros(more, np.intp))
            self._listed = np.append(self._listed, np.zeros(more, np.bool_))
            self._until_ms = np.append(self._until_ms, np.zeros(more, np.int64))
        fields = self._state.rooms.fields
        over = not fields["started_ms"].item(row) or fields["ended_ms"].item(row) or fields["blocked_ms"].item(row)
        self._until_ms[row] = 0 if over else fields["lease_until_ms"].item(row)
        streamer = fields["streamer"].item(row)
        # A row of its own even for a streamer of whom nothing is known yet: the next event of hers must be seen here.
        self._streamer_rows[row] = self._state.streamers.row(streamer) if streamer else 0
        held = self._row_of_streamer.get(streamer, 0)
        if not held or fields["started_ms"][row] >= fields["started_ms"][held]:
            self._row_of_streamer[streamer] = row
