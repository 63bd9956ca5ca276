"""The tables of the SQLite store, and how their rows are read."""

import json
import sqlite3
from collections.abc import Collection, Generator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import Any

from feature_service.features.reducers import Entity
from feature_service.stores.codec import RecordCodec
from feature_service.stores.packing import facts_from_json
from feature_service.stores.protocol import StoredRoom, StoredStreamer, StoredUser, StoreError

FORMAT = 1

TABLES = (
    "CREATE TABLE progress (only INTEGER PRIMARY KEY CHECK (only = 0), position INTEGER NOT NULL)",
    "INSERT INTO progress VALUES (0, 0)",
    "CREATE TABLE layouts (id BLOB PRIMARY KEY, description TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE rooms (key INTEGER PRIMARY KEY, streamer INTEGER NOT NULL, facts TEXT, record BLOB NOT NULL)",
    "CREATE TABLE streamers (key INTEGER PRIMARY KEY, id TEXT NOT NULL, record BLOB NOT NULL)",
    "CREATE TABLE users (key INTEGER PRIMARY KEY, id TEXT NOT NULL, record BLOB NOT NULL, pairs BLOB NOT NULL)",
    f"PRAGMA user_version = {FORMAT}",
)

FOLLOWED = (
    "CREATE TABLE IF NOT EXISTS checkpoints (only INTEGER PRIMARY KEY CHECK (only = 0), number INTEGER NOT NULL)",
    "INSERT OR IGNORE INTO checkpoints VALUES (0, 0)",
    (
        "CREATE TABLE IF NOT EXISTS changes (number INTEGER, kind INTEGER, key INTEGER, "
        "PRIMARY KEY (number, kind, key)) WITHOUT ROWID"
    ),
)
"""For those who follow the store: the number of the last checkpoint, and the keys that each has written."""

# page_size: a million users with 4.5 visits each take 770 MB; pages of 4 KiB would take 5 % more.
# WAL: readers go on during a checkpoint. NORMAL: a loss of power may cost the last checkpoints, which the log replays.
# secure_delete: an erased user's bytes are overwritten.
_PRAGMAS = ("page_size = 8192", "journal_mode = WAL", "synchronous = NORMAL", "secure_delete = ON")

_AMONG = "IN (SELECT value FROM json_each(?))"


class Changed(IntEnum):
    """What a row of `changes` names."""

    CHECKPOINT = 0
    """That there was one; its key is 0."""
    ROOM = 1
    STREAMER = 2
    USER = 3


@contextmanager
def told(path: Path) -> Generator[None]:
    """Turns SQLite's errors into the store's."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"{path}: expected a readable and writable store: {error}") from None


def connect(path: Path) -> sqlite3.Connection:
    """A connection whose transactions are begun and ended by hand, in whichever thread is free, one at a time."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    return connection


class Rows:
    """Reads a store through one connection."""

    def __init__(self, connection: sqlite3.Connection, codec: RecordCodec) -> None:
        self._connection = connection
        self._codec = codec

    @property
    def position(self) -> int:
        """The log position that the records include."""
        return self._connection.execute("SELECT position FROM progress").fetchone()[0]

    @property
    def checkpoint(self) -> int:
        """The number of the last checkpoint; 0 for none."""
        return self._connection.execute("SELECT number FROM checkpoints").fetchone()[0]

    def learn_layouts(self) -> None:
        """Learns the layouts that records may have."""
        self._codec.learn(dict(self._connection.execute("SELECT id, description FROM layouts")))

    def rooms(self, keys: Collection[int] | None = None) -> dict[int, StoredRoom]:
        """Rooms by key; None = all."""
        rows = self._among("SELECT key, streamer, facts, record FROM rooms", keys)
        return {key: self._room(*columns) for key, *columns in rows}

    def streamers(self, keys: Collection[int]) -> dict[int, StoredStreamer]:
        """Streamers by key."""
        rows = self._among("SELECT key, id, record FROM streamers", keys)
        return {key: StoredStreamer(name, self._codec.unpack(Entity.STREAMER, record)) for key, name, record in rows}

    def users(self, keys: Collection[int]) -> dict[int, StoredUser]:
        """Users by key."""
        rows = self._among("SELECT key, id, record, pairs FROM users", keys)
        unpack = self._codec.unpack
        return {
            key: StoredUser(name, unpack(Entity.USER, record), unpack(Entity.PAIR, pairs))
            for key, name, record, pairs in rows
        }

    def changed_since(self, number: int) -> dict[Changed, set[int]] | None:
        """The keys that later checkpoints, of which there are, have written; None where those of some are gone."""
        rows = self._connection.execute("SELECT number, kind, key FROM changes WHERE number > ?", (number,)).fetchall()
        if not rows or rows[0][0] != number + 1:
            return None
        found: dict[Changed, set[int]] = {kind: set() for kind in Changed}
        for _, kind, key in rows:
            found[Changed(kind)].add(key)
        return found

    def _among(self, select: str, keys: Collection[int] | None) -> list[tuple[Any, ...]]:
        if keys is None:
            return self._connection.execute(select).fetchall()
        return self._connection.execute(f"{select} WHERE key {_AMONG}", (json.dumps(list(keys)),)).fetchall()

    def _room(self, streamer: int, facts: str | None, record: bytes) -> StoredRoom:
        return StoredRoom(self._codec.unpack(Entity.ROOM, record), facts_from_json(facts), streamer)
