"""The SQLite store: one file, one writer; the default."""

import sqlite3
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from feature_service.erasures import Erasure
from feature_service.features.records import RecordDtype
from feature_service.features.reducers import Entity
from feature_service.stores.codec import RecordCodec
from feature_service.stores.packing import facts_from_json, facts_to_json
from feature_service.stores.protocol import Changes, Live, StoredRoom, StoredStreamer, StoredUser, StoreError

_FORMAT = 1

# page_size: a million users with 4.5 visits each take 770 MB; pages of 4 KiB would take 5 % more.
# WAL: readers go on during a checkpoint. NORMAL: a loss of power may cost the last checkpoints, which the log replays.
# secure_delete: an erased user's bytes are overwritten.
_PRAGMAS = ("page_size = 8192", "journal_mode = WAL", "synchronous = NORMAL", "secure_delete = ON")

_TABLES = (
    "CREATE TABLE progress (only INTEGER PRIMARY KEY CHECK (only = 0), position INTEGER NOT NULL)",
    "INSERT INTO progress VALUES (0, 0)",
    "CREATE TABLE layouts (id BLOB PRIMARY KEY, description TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE rooms (key INTEGER PRIMARY KEY, streamer INTEGER NOT NULL, facts TEXT, record BLOB NOT NULL)",
    "CREATE TABLE streamers (key INTEGER PRIMARY KEY, id TEXT NOT NULL, record BLOB NOT NULL)",
    "CREATE TABLE users (key INTEGER PRIMARY KEY, id TEXT NOT NULL, record BLOB NOT NULL, pairs BLOB NOT NULL)",
    f"PRAGMA user_version = {_FORMAT}",
)

_Row = tuple[Any, ...]


class SqliteStore:
    """Reads on the caller's thread, writes checkpoints on another, each through a connection of its own."""

    def __init__(self, path: Path, reader: sqlite3.Connection, writer: sqlite3.Connection, codec: RecordCodec) -> None:
        """Takes over what `open` has prepared."""
        self._path = path
        self._reader = reader
        self._writer = writer
        self._codec = codec
        self._writing = Lock()

    @classmethod
    def open(cls, path: Path, dtypes: Mapping[Entity, RecordDtype]) -> "SqliteStore":
        """Opens a store, and makes a new one when there is none.

        Args:
            path: The file.
            dtypes: The present dtypes of the records.

        Raises:
            StoreError: The file cannot be opened, or is no store of this format.
        """
        with _told(path):
            writer = _connect(path)
            try:
                _prepare(writer, path)
                codec = RecordCodec(dtypes)
                codec.learn(dict(writer.execute("SELECT id, description FROM layouts")))
                return cls(path, _connect(path), writer, codec)
            except BaseException:
                writer.close()
                raise

    @property
    def position(self) -> int:
        """The log position that the records include; 0 for an empty store."""
        with _told(self._path):
            return _position(self._reader)

    def load_live(self) -> Live:
        """The rooms, and their streamers; see `Store`."""
        with _told(self._path):
            rooms = self._reader.execute("SELECT key, streamer, facts, record FROM rooms").fetchall()
            streamers = self._reader.execute(
                "SELECT key, id, record FROM streamers WHERE key IN (SELECT streamer FROM rooms)"
            ).fetchall()
            return Live(
                _position(self._reader),
                {key: self._room(*columns) for key, *columns in rooms},
                {key: self._streamer(*columns) for key, *columns in streamers},
            )

    def load_streamer(self, key: int) -> StoredStreamer | None:
        """One streamer; see `Store`."""
        with _told(self._path):
            row = self._reader.execute("SELECT id, record FROM streamers WHERE key = ?", (key,)).fetchone()
        return None if row is None else self._streamer(*row)

    def load_user(self, key: int) -> StoredUser | None:
        """One user; see `Store`."""
        with _told(self._path):
            row = self._reader.execute("SELECT id, record, pairs FROM users WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        user_id, record, pairs = row
        return StoredUser(user_id, self._codec.unpack(Entity.USER, record), self._codec.unpack(Entity.PAIR, pairs))

    def checkpoint(self, changes: Changes) -> None:
        """Writes changes and their position in one transaction; see `Store`."""
        with self._writing, _told(self._path):
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                if changes.position >= _position(self._writer):
                    self._write(changes)
                self._writer.execute("COMMIT")
            except BaseException:
                self._writer.execute("ROLLBACK")
                raise

    def tell_erased(self, erasures: Sequence[Erasure]) -> None:
        """Nobody can follow a file, but its write-ahead log holds what it ever wrote; see `Store`."""
        if erasures:
            with self._writing, _told(self._path):
                self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Closes both connections."""
        with self._writing:
            self._reader.close()
            self._writer.close()

    def _write(self, changes: Changes) -> None:
        pack, many = self._codec.pack, self._writer.executemany
        many("INSERT OR IGNORE INTO layouts VALUES (?, ?)", self._codec.layouts.items())
        many(
            "INSERT OR REPLACE INTO rooms VALUES (?, ?, ?, ?)",
            (
                (key, room.streamer, facts_to_json(room.facts), pack(Entity.ROOM, room.record))
                for key, room in changes.rooms.items()
            ),
        )
        many(
            "INSERT OR REPLACE INTO streamers VALUES (?, ?, ?)",
            ((key, each.streamer_id, pack(Entity.STREAMER, each.record)) for key, each in changes.streamers.items()),
        )
        many(
            "INSERT OR REPLACE INTO users VALUES (?, ?, ?, ?)",
            (
                (key, user.user_id, pack(Entity.USER, user.record), pack(Entity.PAIR, user.pairs))
                for key, user in changes.users.items()
            ),
        )
        many("DELETE FROM rooms WHERE key = ?", ((key,) for key in changes.gone_rooms))
        many("DELETE FROM users WHERE key = ?", ((key,) for key in changes.gone_users))
        self._writer.execute("UPDATE progress SET position = ?", (changes.position,))

    def _room(self, streamer: int, facts: str | None, record: bytes) -> StoredRoom:
        return StoredRoom(self._codec.unpack(Entity.ROOM, record), facts_from_json(facts), streamer)

    def _streamer(self, streamer_id: str, record: bytes) -> StoredStreamer:
        return StoredStreamer(streamer_id, self._codec.unpack(Entity.STREAMER, record))


@contextmanager
def _told(path: Path) -> Generator[None]:
    """Turns SQLite's errors into the store's."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"{path}: expected a readable and writable store: {error}") from None


def _connect(path: Path) -> sqlite3.Connection:
    # Transactions are begun and ended by hand; checkpoints run in whichever thread is free, one at a time.
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Makes the tables of a new file, and refuses a file of another format."""
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if not found and not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        connection.execute("BEGIN IMMEDIATE")
        for statement in _TABLES:
            connection.execute(statement)
        connection.execute("COMMIT")
    elif found != _FORMAT:
        raise StoreError(f"{path}: expected a store of format {_FORMAT}, received format {found}")


def _position(connection: sqlite3.Connection) -> int:
    return connection.execute("SELECT position FROM progress").fetchone()[0]
