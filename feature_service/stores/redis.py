"""The Redis store: values under the keys of one prefix, written in transactions that compare positions first.

One hash holds the position, the layouts and the rooms: whoever loses one of them has lost all, and finds the store at
position 0. Streamers and users have a key each. The store knows the position that it has reached, so one that comes
back empty or older, after a crash or a failover, is told from one that is simply behind: nobody reads from it, and
nothing is written on top, until the log has filled it again.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from threading import Lock
from typing import Any

from feature_service.features.records import RecordDtype
from feature_service.features.reducers import Entity
from feature_service.stores import packing
from feature_service.stores.codec import RecordCodec
from feature_service.stores.protocol import (
    Changes,
    Live,
    StoredRoom,
    StoredStreamer,
    StoredUser,
    StoreError,
    StoreLostError,
)
from feature_service.stores.redis_server import RedisServer

_FORMAT = 1
_HEAD = ("format", "log", "position")
_LAYOUTS = "layouts"
_ROOM = b"room:"

_CHUNK = 500
"""Values that one command reads."""

_READ_TRIES = 3
_KEY_BYTES = 8
_DAY_S = 86_400


class RedisStore:
    """Reads on the caller's thread, writes checkpoints on another, each through connections of its own."""

    def __init__(self, server: RedisServer, prefix: str, log_id: str, codec: RecordCodec, user_days: float) -> None:
        """Takes over what `open` has prepared."""
        self._server = server
        self._prefix = prefix.encode()
        self._main = self._prefix + b":store"
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
        with self._server.writing() as client:
            return self._position(client.hmget(self._main, _HEAD))

    def load_live(self) -> Live:
        """The rooms, and their streamers; see `Store`."""
        with self._server.writing() as client:
            for _ in range(_READ_TRIES):
                position = self._checked(client.hmget(self._main, _HEAD))
                rooms = self._rooms(client)
                streamers = self._streamers(client, {room.streamer for room in rooms.values()})
                if position == self._position(client.hmget(self._main, _HEAD)):
                    return Live(position, rooms, streamers)
        raise StoreError(f"{self}: expected a store that stands still while it is read, received one that is written")

    def load_streamer(self, key: int) -> StoredStreamer | None:
        """One streamer; see `Store`."""
        value = self._value(self._streamer_key(key))
        return None if value is None else packing.unpack_streamer(self._codec, value)

    def load_user(self, key: int) -> StoredUser | None:
        """One user; see `Store`."""
        value = self._value(self._user_key(key))
        return None if value is None else packing.unpack_user(self._codec, value)

    def checkpoint(self, changes: Changes) -> None:
        """Writes changes and their position in one transaction; see `Store`."""
        with self._writing, self._server.writing() as client, client.pipeline() as transaction:
            transaction.watch(self._main)
            *head, layouts = transaction.hmget(self._main, (*_HEAD, _LAYOUTS))
            stored = self._checked(head)
            if head[0] is None:
                self._remove_leftovers(client)
            if changes.position >= stored:
                transaction.multi()
                self._write(transaction, changes, layouts)
                transaction.execute()
            self._reached = max(stored, changes.position)

    def clear(self) -> None:
        """Forgets everything: the store then stands at the log's begin."""
        with self._writing, self._server.writing() as client:
            client.delete(self._main)
            self._reached = 0

    def close(self) -> None:
        """Closes the connections."""
        with self._writing:
            self._server.close()

    def __str__(self) -> str:
        return f"{self._server}, prefix {self._prefix.decode()!r}"

    def _open(self) -> None:
        with self._server.writing() as client:
            *head, layouts = client.hmget(self._main, (*_HEAD, _LAYOUTS))
        self._reached = self._position(head)
        self._codec.learn(_layouts_from_json(layouts))

    def _position(self, head: Sequence[bytes | None]) -> int:
        """The position of the head, once it is known to be this store's."""
        found, log_id, position = (None if each is None else each.decode() for each in head)
        if found is None or position is None:
            return 0
        if found != str(_FORMAT):
            raise StoreError(f"{self}: expected a store of format {_FORMAT}, received format {found}")
        if log_id != self._log_id:
            raise StoreError(
                f"{self}: expected the store of the log {self._log_id}, received that of the log {log_id}; "
                "choose another prefix"
            )
        return int(position)

    def _checked(self, head: Sequence[bytes | None]) -> int:
        """The position, of a store that has lost nothing."""
        position = self._position(head)
        if position < self._reached:
            raise StoreLostError(f"{self}: expected a store at position {self._reached} or later, received {position}")
        return position

    def _value(self, key: bytes) -> bytes | None:
        with self._server.reading() as client:
            transaction = client.pipeline()
            transaction.hmget(self._main, _HEAD)
            transaction.get(key)
            head, value = transaction.execute()
        self._checked(head)
        # A record without a position is of no use: the log's events would be counted twice.
        return None if head[0] is None else value

    def _remove_leftovers(self, client: Any) -> None:
        """Removes the records of a store whose position is lost. Only the log's one writer may: others are reading."""
        keys: Iterator[bytes] = client.scan_iter(match=self._prefix + b":[su]:*", count=_CHUNK)
        while chunk := list(islice(keys, _CHUNK)):
            client.unlink(*chunk)

    def _rooms(self, client: Any) -> dict[int, StoredRoom]:
        found = client.hscan_iter(self._main, match=_ROOM + b"*", count=_CHUNK)
        return {_from_bytes(field[len(_ROOM) :]): packing.unpack_room(self._codec, value) for field, value in found}

    def _streamers(self, client: Any, keys: Iterable[int]) -> dict[int, StoredStreamer]:
        found: dict[int, StoredStreamer] = {}
        each = iter(keys)
        while chunk := list(islice(each, _CHUNK)):
            for key, value in zip(chunk, client.mget(map(self._streamer_key, chunk)), strict=True):
                if value is not None:
                    found[key] = packing.unpack_streamer(self._codec, value)
        return found

    def _write(self, transaction: Any, changes: Changes, layouts: bytes | None) -> None:
        """Queues the commands of a checkpoint."""
        codec = self._codec
        fields: dict[str | bytes, Any] = dict(zip(_HEAD, (_FORMAT, self._log_id, changes.position), strict=True))
        known = _layouts_from_json(layouts)
        if not known.keys() >= codec.layouts.keys():
            fields[_LAYOUTS] = _layouts_to_json(known | codec.layouts)
        fields |= {_room_field(key): packing.pack_room(codec, room) for key, room in changes.rooms.items()}
        transaction.hset(self._main, mapping=fields)
        for key, streamer in changes.streamers.items():
            transaction.set(self._streamer_key(key), packing.pack_streamer(codec, streamer))
        for key, user in changes.users.items():
            transaction.set(self._user_key(key), packing.pack_user(codec, user), ex=self._user_s)
        if changes.gone_rooms:
            transaction.hdel(self._main, *map(_room_field, changes.gone_rooms))
        if changes.gone_users:
            transaction.delete(*map(self._user_key, changes.gone_users))

    def _streamer_key(self, key: int) -> bytes:
        return self._prefix + b":s:" + _to_bytes(key)

    def _user_key(self, key: int) -> bytes:
        return self._prefix + b":u:" + _to_bytes(key)


def _room_field(key: int) -> bytes:
    return _ROOM + _to_bytes(key)


def _to_bytes(key: int) -> bytes:
    return key.to_bytes(_KEY_BYTES, "big", signed=True)


def _from_bytes(key: bytes) -> int:
    return int.from_bytes(key, "big", signed=True)


def _layouts_to_json(layouts: Mapping[bytes, str]) -> str:
    return json.dumps({name.hex(): description for name, description in layouts.items()})


def _layouts_from_json(text: bytes | None) -> dict[bytes, str]:
    return {} if text is None else {bytes.fromhex(name): each for name, each in json.loads(text).items()}
