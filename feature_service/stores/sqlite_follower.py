"""The follower of a SQLite store that another process of this machine writes, always as of one checkpoint.

All that it reads together comes in one read transaction, which sees the file as of one moment.
"""

import sqlite3
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from feature_service.erasures import Erasure, Erasures
from feature_service.features.records import RecordDtype
from feature_service.features.reducers import Entity
from feature_service.stores.codec import RecordCodec
from feature_service.stores.protocol import (
    Changes,
    GapError,
    StoreAheadError,
    StoredUser,
    StoreError,
    StoreLostError,
)
from feature_service.stores.sqlite_rows import Changed, Rows, connect, told

WAIT_S = 0.5
"""How long a look for news waits for some."""

_LOOK_S = 0.02


class SqliteFollower:
    """Reads the rooms, then what changes; blocks, so all but `load_user` run in a thread, one at a time."""

    def __init__(self, path: Path, erasures: Path, dtypes: Mapping[Entity, RecordDtype]) -> None:
        """Opens the file.

        Args:
            path: The store.
            erasures: The file of who was erased.
            dtypes: The present dtypes of the records.

        Raises:
            StoreError: There is none, or it cannot be read.
        """
        if not path.is_file():
            raise StoreError(f"{path}: expected the store of a service that runs, found none")
        self._path = path
        self._erasures = erasures
        codec = RecordCodec(dtypes)
        with told(path):
            self._working, self._reading = connect(path), connect(path)
        self._rows, self._single = Rows(self._working, codec), Rows(self._reading, codec)
        self._number, self._position = -1, 0

    def __str__(self) -> str:
        return str(self._path)

    def snapshot(self, users: frozenset[int], streamers: frozenset[int]) -> Changes:
        """All rooms with their streamers, and whom the follower has in memory; see `Follower`."""
        with self._as_of_one_moment(self._working):
            self._rows.learn_layouts()
            rooms = self._rows.rooms()
            theirs = self._rows.streamers({room.streamer for room in rooms.values()} | streamers)
            found = self._rows.users(users)
            self._arrive(self._rows.checkpoint, self._rows.position)
        return Changes(self._position, rooms, theirs, found, gone_users=tuple(users.difference(found)))

    def wait(self) -> None:
        """Waits for news, but not for long; see `Follower`."""
        until_s = time.monotonic() + WAIT_S
        with told(self._path):
            while self._rows.checkpoint == self._number and time.monotonic() < until_s:
                time.sleep(_LOOK_S)

    def changes(self, users: frozenset[int]) -> Changes | None:
        """What has changed since the last look; see `Follower`."""
        with self._as_of_one_moment(self._working):
            number = self._rows.checkpoint
            if number == self._number:
                return None
            named = self._rows.changed_since(self._number) if number > self._number else None
            if named is None:
                raise GapError(f"{self}: expected what follows checkpoint {self._number}, received {number}")
            self._rows.learn_layouts()
            rooms, found = self._rows.rooms(named[Changed.ROOM]), self._rows.users(named[Changed.USER] & users)
            streamers = self._rows.streamers(named[Changed.STREAMER])
            self._arrive(number, self._rows.position)
        return Changes(
            self._position,
            rooms,
            streamers,
            found,
            gone_rooms=tuple(named[Changed.ROOM].difference(rooms)),
            gone_users=tuple((named[Changed.USER] & users).difference(found)),
        )

    def load_user(self, key: int) -> StoredUser | None:
        """One user as of the checkpoint that was read last; see `Follower`."""
        with self._as_of_one_moment(self._reading):
            if (number := self._single.checkpoint) != self._number:
                raise StoreAheadError(f"{self}: expected checkpoint {self._number}, received {number}")
            return self._single.users([key]).get(key)

    def erasures(self) -> list[Erasure]:
        """Who was erased, as far as the writer has noted."""
        return list(Erasures.open(self._erasures).known)

    def close(self) -> None:
        """Closes the file."""
        self._working.close()
        self._reading.close()

    def _arrive(self, number: int, position: int) -> None:
        if position < self._position:
            raise StoreLostError(f"{self}: expected a store at position {self._position}, received {position}")
        self._number, self._position = number, position

    @contextmanager
    def _as_of_one_moment(self, connection: sqlite3.Connection) -> Generator[None]:
        with told(self._path):
            connection.execute("BEGIN")
            try:
                yield
            finally:
                connection.execute("ROLLBACK")
