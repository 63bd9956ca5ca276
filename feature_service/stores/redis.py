"""The Redis store: values under the keys of one prefix, written in transactions that compare positions first.

One hash holds the position, the layouts and the rooms: whoever loses one of them has lost all, and finds the store at
position 0. Streamers and users have a key each. The store knows the position that it has reached, so one that comes
back empty or older, after a crash or a failover, is told from one that is simply behind: nobody reads from it, and
nothing is written on top, until the log has filled it again. Each checkpoint names what it changes in a stream, for
the processes that follow.
"""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from threading import Lock
from typing import Any

from feature_service.erasures import Erasure
from feature_service.features.records import RecordDtype
from feature_service.features.reducers import Entity
from feature_service.stores import packing
from feature_service.stores.codec import RecordCodec
from feature_service.stores.protocol import (
    Changes,
    Live,
    StoredStreamer,
    StoredUser,
    StoreError,
    StoreLostError,
)
from feature_service.stores.redis_layout import (
    CHUNK,
    FORMAT,
    HEAD,
    LAYOUTS,
    MOST_NAMES,
    STREAM_ENTRIES,
    Entry,
    Head,
    Keys,
    Names,
    layouts_from_json,
    layouts_to_json,
    room_field,
)
from feature_service.stores.redis_server import RedisServer
from feature_service.stores.redis_values import load_rooms, load_streamers, names_any, save_erasures

_READ_TRIES = 3
_DAY_S = 86_400


class RedisStore:
    """Reads on the caller's thread, writes checkpoints on another, each through connections of its own."""

    def __init__(self, server: RedisServer, prefix: str, log_id: str, codec: RecordCodec, user_days: float) -> None:
        """Takes over what `open` has prepared."""
        self._server = server
        self._prefix = prefix
        self._keys = Keys(prefix)
        self._log_id = log_id
        self._codec = codec
        self._user_s = round(user_days * _DAY_S) or None
        self._reached = 0
        self._writing = Lock()

    @classmethod
    def open(
        cls,
        address: str,
        dtypes: Mapping[Entity, RecordDtype],
        *,
        prefix: str,
        log_id: str,
        user_days: float = 0.0,
    ) -> "RedisStore":
        """Opens the store of a log, and makes a new one when there is none; writes nothing yet.

        Args:
            address: The server, as `RedisServer` takes it.
            dtypes: The present dtypes of the records.
            prefix: Begins all keys; every store on the server has its own.
            log_id: Names the log whose view the records are.
            user_days: A user whose records have not changed for so long is forgotten; 0 = never.

        Raises:
            ImportError: The client library is not installed.
            ValueError: The address is none.
            StoreError: The server cannot be reached, or holds another log's store or another format under the prefix.
        """
        store = cls(RedisServer(address), prefix, log_id, RecordCodec(dtypes), user_days)
        try:
            store._open()
        except BaseException:
            store.close()
            raise
        return store

    @property
    def position(self) -> int:
        """The log position that the records include; 0 for an empty store."""
        with self._server.working() as client:
            return self._position(client.hmget(self._keys.main, HEAD))

    def load_live(self) -> Live:
        """The rooms, and their streamers; see `Store`."""
        with self._server.working() as client:
            for _ in range(_READ_TRIES):
                position = self._checked(client.hmget(self._keys.main, HEAD))
                rooms = load_rooms(client, self._keys, self._codec)
                streamers = load_streamers(client, self._keys, self._codec, {room.streamer for room in rooms.values()})
                if position == self._position(client.hmget(self._keys.main, HEAD)):
                    return Live(position, rooms, streamers)
        raise StoreError(f"{self}: expected a store that stands still while it is read, received one that is written")

    def load_streamer(self, key: int) -> StoredStreamer | None:
        """One streamer; see `Store`."""
        value = self._value(self._keys.streamer(key))
        return None if value is None else packing.unpack_streamer(self._codec, value)

    def load_user(self, key: int) -> StoredUser | None:
        """One user; see `Store`."""
        value = self._value(self._keys.user(key))
        return None if value is None else packing.unpack_user(self._codec, value)

    def checkpoint(self, changes: Changes) -> None:
        """Writes changes and their position in one transaction; see `Store`."""
        with self._writing, self._server.working() as client, client.pipeline() as transaction:
            transaction.watch(self._keys.main)
            *head, layouts = transaction.hmget(self._keys.main, (*HEAD, LAYOUTS))
            stored = self._checked(head)
            if head[0] is None:
                self._remove_leftovers(client)
            if changes.position >= stored:
                transaction.multi()
                self._write(transaction, changes, layouts)
                self._tell(transaction, changes, Head.read(head, self))
                transaction.execute()
            self._reached = max(stored, changes.position)

    def tell_erased(self, erasures: Sequence[Erasure]) -> None:
        """Keeps who was erased, beside the store; see `Store`.

        Once a change in the stream names one of them, the stream begins anew: whoever has not read it takes a snapshot.
        """
        with self._server.working() as client:
            if names_any(client, self._keys, {each.key for each in erasures}):
                client.delete(self._keys.changes)
            save_erasures(client, self._keys, erasures)

    def clear(self) -> None:
        """Forgets everything: the store then stands at the log's begin."""
        with self._writing, self._server.working() as client:
            client.delete(self._keys.main)
            self._reached = 0

    def close(self) -> None:
        """Closes the connections."""
        with self._writing:
            self._server.close()

    def __str__(self) -> str:
        return f"{self._server}, prefix {self._prefix!r}"

    def _open(self) -> None:
        with self._server.working() as client:
            *head, layouts = client.hmget(self._keys.main, (*HEAD, LAYOUTS))
        self._reached = self._position(head)
        self._codec.learn(layouts_from_json(layouts))

    def _position(self, values: Sequence[bytes | None]) -> int:
        """The position of the head, once it is known to be this store's."""
        head = Head.read(values, self)
        if head is None:
            return 0
        if head.log_id != self._log_id:
            raise StoreError(
                f"{self}: expected the store of the log {self._log_id}, received that of the log {head.log_id}; "
                "choose another prefix"
            )
        return head.position

    def _checked(self, head: Sequence[bytes | None]) -> int:
        """The position, of a store that has lost nothing."""
        position = self._position(head)
        if position < self._reached:
            raise StoreLostError(f"{self}: expected a store at position {self._reached} or later, received {position}")
        return position

    def _value(self, key: bytes) -> bytes | None:
        with self._server.reading() as client:
            transaction = client.pipeline()
            transaction.hmget(self._keys.main, HEAD)
            transaction.get(key)
            head, value = transaction.execute()
        self._checked(head)
        # A record without a position is of no use: the log's events would be counted twice.
        return None if head[0] is None else value

    def _remove_leftovers(self, client: Any) -> None:
        """Removes the records of a store whose position is lost. Only the log's one writer may: others are reading."""
        keys: Iterator[bytes] = client.scan_iter(match=self._keys.streamers_and_users, count=CHUNK)
        while chunk := list(islice(keys, CHUNK)):
            client.unlink(*chunk)

    def _write(self, transaction: Any, changes: Changes, layouts: bytes | None) -> None:
        """Queues the commands of a checkpoint."""
        codec, keys = self._codec, self._keys
        fields: dict[str | bytes, Any] = {"format": FORMAT, "log": self._log_id, "position": changes.position}
        known = layouts_from_json(layouts)
        if not known.keys() >= codec.layouts.keys():
            fields[LAYOUTS] = layouts_to_json(known | codec.layouts)
        fields |= {room_field(key): packing.pack_room(codec, room) for key, room in changes.rooms.items()}
        transaction.hset(keys.main, mapping=fields)
        values = {keys.streamer(key): packing.pack_streamer(codec, each) for key, each in changes.streamers.items()}
        users = {keys.user(key): packing.pack_user(codec, each) for key, each in changes.users.items()}
        if self._user_s:
            for key, user in users.items():
                transaction.set(key, user, ex=self._user_s)
        else:
            values |= users
        if values:
            transaction.mset(values)  # One command: the client takes as long for each as for packing a streamer.
        if changes.gone_rooms:
            transaction.hdel(keys.main, *map(room_field, changes.gone_rooms))
        if changes.gone_users:
            transaction.delete(*map(keys.user, changes.gone_users))

    def _tell(self, transaction: Any, changes: Changes, before: Head | None) -> None:
        """Queues a new stamp, and the entry of the stream that names what has changed."""
        stamp, names = before.stamp if before else "", Names.of(changes)
        if before is not None and before.position == changes.position and stamp and not names:
            return
        if len(names) > MOST_NAMES:
            stamp, names = "", Names()
        entry = Entry(stamp, secrets.token_hex(8), names)
        transaction.hset(self._keys.main, "stamp", entry.after)
        transaction.xadd(self._keys.changes, entry.to_fields(), maxlen=STREAM_ENTRIES, approximate=True)
