"""The SQLite store: one file, one writer; the default."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from threading import Lock

from feature_service.erasures import Erasure
from feature_service.features.records import RecordDtype
from feature_service.features.reducers import Entity
from feature_service.stores.codec import RecordCodec
from feature_service.stores.packing import facts_to_json
from feature_service.stores.protocol import Changes, Live, StoredStreamer, StoredUser, StoreError
from feature_service.stores.sqlite_rows import FOLLOWED, FORMAT, TABLES, Changed, Rows, connect, told

KEPT_CHECKPOINTS = 300
"""What so many checkpoints have changed stays named for those who follow; who is further behind reads everything."""

_FORGET_NAMES = (
    "DELETE FROM changes WHERE number <= (SELECT coalesce(max(number), 0) FROM changes WHERE kind = ? AND key = ?)"
)


class SqliteStore:
    """Reads on the caller's thread, writes checkpoints on another, each through a connection of its own."""

    def __init__(self, path: Path, reader: sqlite3.Connection, writer: sqlite3.Connection, codec: RecordCodec) -> None:
        """Takes over what `open` has prepared."""
        self._path = path
        self._reader, self._writer = reader, writer
        self._rows, self._written = Rows(reader, codec), Rows(writer, codec)
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
        with told(path):
            writer = connect(path)
            try:
                _prepare(writer, path)
                codec = RecordCodec(dtypes)
                Rows(writer, codec).learn_layouts()
                return cls(path, connect(path), writer, codec)
            except BaseException:
                writer.close()
                raise

    @property
    def position(self) -> int:
        """The log position that the records include; 0 for an empty store."""
        with told(self._path):
            return self._rows.position

    def load_live(self) -> Live:
        """The rooms, and their streamers; see `Store`."""
        with told(self._path):
            rooms = self._rows.rooms()
            return Live(self._rows.position, rooms, self._rows.streamers({room.streamer for room in rooms.values()}))

    def load_streamer(self, key: int) -> StoredStreamer | None:
        """One streamer; see `Store`."""
        with told(self._path):
            return self._rows.streamers([key]).get(key)

    def load_user(self, key: int) -> StoredUser | None:
        """One user; see `Store`."""
        with told(self._path):
            return self._rows.users([key]).get(key)

    def checkpoint(self, changes: Changes) -> None:
        """Writes changes and their position in one transaction; see `Store`."""
        with self._writing, told(self._path):
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                before = self._written.position
                if changes.position >= before:
                    self._write(changes)
                    if changes.position > before or any(_named(changes)):
                        self._name(changes)
                self._writer.execute("COMMIT")
            except BaseException:
                self._writer.execute("ROLLBACK")
                raise

    def tell_erased(self, erasures: Sequence[Erasure]) -> None:
        """Followers read beside the file who was erased; its write-ahead log holds what it ever wrote. See `Store`."""
        if erasures:
            with self._writing, told(self._path):
                # Whoever has not read them by now meets a gap, not a hole.
                self._writer.executemany(_FORGET_NAMES, ((Changed.USER, each.key) for each in erasures))
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

    def _name(self, changes: Changes) -> None:
        """Names what has changed, and forgets what was named long ago."""
        number = self._written.checkpoint + 1
        self._writer.execute("UPDATE checkpoints SET number = ?", (number,))
        named = ((Changed.CHECKPOINT, 0), *_named(changes))
        self._writer.executemany("INSERT INTO changes VALUES (?, ?, ?)", ((number, *each) for each in named))
        self._writer.execute("DELETE FROM changes WHERE number <= ?", (number - KEPT_CHECKPOINTS,))


def _named(changes: Changes) -> Iterator[tuple[Changed, int]]:
    yield from ((Changed.ROOM, key) for key in {*changes.rooms, *changes.gone_rooms})
    yield from ((Changed.STREAMER, key) for key in changes.streamers)
    yield from ((Changed.USER, key) for key in {*changes.users, *changes.gone_users})


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Makes the tables of a new file, and refuses a file of another format."""
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if not found and not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        connection.execute("BEGIN IMMEDIATE")
        for statement in TABLES:
            connection.execute(statement)
        connection.execute("COMMIT")
    elif found != FORMAT:
        raise StoreError(f"{path}: expected a store of format {FORMAT}, received format {found}")
    for statement in FOLLOWED:
        connection.execute(statement)
