"""The follower: reads a store in a Redis that another process writes, always as of one checkpoint.

It holds the stamp of the checkpoint that it has read last. Whatever it reads with records comes in one transaction with
the stamp, so that records of two checkpoints are never mixed: they all include the same log position.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from feature_service.erasures import Erasure
from feature_service.features.records import RecordDtype
from feature_service.features.reducers import Entity
from feature_service.stores import packing
from feature_service.stores.codec import RecordCodec
from feature_service.stores.protocol import (
    Changes,
    GapError,
    StoreAheadError,
    StoredUser,
    StoreError,
    StoreLostError,
)
from feature_service.stores.redis_layout import (
    HEAD,
    LAYOUTS,
    Entry,
    Head,
    Keys,
    Names,
    layouts_from_json,
    room_field,
)
from feature_service.stores.redis_server import RedisServer
from feature_service.stores.redis_values import load_erasures, load_rooms, load_streamers

WAIT_S = 0.5
"""How long a look for news waits for some."""

TIMEOUT_S = 2.0
"""A server that is silent for so long does not answer."""

_TRIES = 5
_BEGIN = "0-0"


class RedisFollower:
    """Reads the rooms, then what changes; blocks, so all but `load_user` run in a thread, one at a time."""

    def __init__(self, address: str, prefix: str, dtypes: Mapping[Entity, RecordDtype]) -> None:
        """Prepares the connections; reads nothing yet.

        Args:
            address: The server, as `RedisServer` takes it.
            prefix: Begins all keys.
            dtypes: The present dtypes of the records.

        Raises:
            ImportError: The client library is not installed.
            ValueError: The address is none.
        """
        self._server = RedisServer(address, TIMEOUT_S)
        self._keys = Keys(prefix)
        self._codec = RecordCodec(dtypes)
        self._head = Head("", 0, "")
        self._last = _BEGIN

    def __str__(self) -> str:
        return f"{self._server}, prefix {self._keys.prefix.decode()!r}"

    @property
    def stamp(self) -> str:
        """Of the checkpoint that was read last."""
        return self._head.stamp

    def snapshot(self, users: frozenset[int], streamers: frozenset[int]) -> Changes:
        """All rooms with their streamers, and whom the follower has in memory.

        Args:
            users: Users to read as well; who is not there any more is among the gone ones.
            streamers: Streamers to read beside those of the rooms.

        Raises:
            StoreLostError: The store is empty, or stands at an earlier position than it was seen at: it is to be
                filled again.
            StoreError: It cannot be read, or no writer has named changes in it.
        """
        with self._server.working() as client:
            transaction = client.pipeline()
            transaction.hmget(self._keys.main, (*HEAD, LAYOUTS))
            transaction.xrevrange(self._keys.changes, count=1)
            (*values, layouts), newest = transaction.execute()
            head = self._checked(values)
            if head.log_id != self._head.log_id and self._head.log_id:
                raise StoreError(f"{self}: expected the store of the log {self._head.log_id}, received {head.log_id}'s")
            self._codec.learn(layouts_from_json(layouts))
            last = newest[0][0].decode() if newest else _BEGIN
            # While they are read, some change: those are read once more.
            rooms = load_rooms(client, self._keys, self._codec)
            theirs = load_streamers(client, self._keys, self._codec, {room.streamer for room in rooms.values()})
            known = Names(users=users, streamers=streamers)
            changes = self._read_since(client, head.stamp, last, known, users)
        for key in changes.gone_rooms:
            rooms.pop(key, None)
        rooms.update(changes.rooms)
        theirs.update(changes.streamers)
        return replace(changes, rooms=rooms, streamers=theirs, gone_rooms=())

    def wait(self) -> None:
        """Waits for news, but not for long.

        Raises:
            StoreError: The store cannot be read.
        """
        with self._server.working() as client:
            client.xread({self._keys.changes: self._last}, count=1, block=round(WAIT_S * 1000))

    def changes(self, users: frozenset[int]) -> Changes | None:
        """What has changed since the last look, None for nothing: rooms, streamers, and those of some users.

        Args:
            users: The users in memory.

        Raises:
            GapError: The stream does not reach back to the last look.
            StoreError: As `snapshot`.
        """
        with self._server.working() as client:
            before = self.stamp
            changes = self._read_since(client, before, self._last, Names(), users)
        return None if self.stamp == before else changes

    def load_user(self, key: int) -> StoredUser | None:
        """One user as of the checkpoint that was read last; None when unknown.

        Raises:
            StoreAheadError: The store has a later one by now.
            StoreError: It cannot be read.
        """
        with self._server.reading() as client:
            transaction = client.pipeline()
            transaction.hmget(self._keys.main, HEAD)
            transaction.get(self._keys.user(key))
            values, user = transaction.execute()
        if self._checked(values).stamp != self.stamp:
            raise StoreAheadError(f"{self}: expected the checkpoint {self.stamp}, received a later one")
        return None if user is None else packing.unpack_user(self._codec, user)

    def erasures(self) -> list[Erasure]:
        """Who was erased, as far as the writer has told; apart from all else, so at any time.

        Raises:
            StoreError: The store cannot be read.
        """
        with self._server.working() as client:
            return load_erasures(client, self._keys)

    def close(self) -> None:
        """Closes the connections."""
        self._server.close()

    def _read_since(self, client: Any, stamp: str, last: str, names: Names, users: frozenset[int]) -> Changes:
        """Reads what is named, and what entries after `last` name, until nothing changes while it is read."""
        for _ in range(_TRIES):
            for entry_id, fields in client.xrange(self._keys.changes, min=f"({last}"):
                entry = Entry.from_fields(fields)
                if entry.before != stamp:
                    raise GapError(f"{self}: expected what follows {stamp}, received what follows {entry.before}")
                names, stamp, last = names | entry.names, entry.after, entry_id.decode()
            head, changes = self._read(client, Names(names.rooms, names.streamers, names.users & users))
            if head.stamp == stamp:
                self._head, self._last = head, last
                return changes
        raise GapError(f"{self}: expected what follows {stamp}, received another checkpoint")

    def _read(self, client: Any, names: Names) -> tuple[Head, Changes]:
        """Reads what is named, with the head in one transaction."""
        rooms, streamers, users = sorted(names.rooms), sorted(names.streamers), sorted(names.users)
        transaction = client.pipeline()
        transaction.hmget(self._keys.main, (*HEAD, *map(room_field, rooms)))
        # An MGET wants a key at least; of the hash it says nothing.
        transaction.mget(self._keys.main, *map(self._keys.streamer, streamers), *map(self._keys.user, users))
        values, (_, *single) = transaction.execute()
        head = self._checked(values[: len(HEAD)])
        codec = self._codec
        found_rooms = dict(zip(rooms, values[len(HEAD) :], strict=True))
        found_streamers = dict(zip(streamers, single, strict=False))
        found_users = dict(zip(users, single[len(streamers) :], strict=True))
        return head, Changes(
            position=head.position,
            rooms={key: packing.unpack_room(codec, value) for key, value in found_rooms.items() if value is not None},
            streamers={
                key: packing.unpack_streamer(codec, value)
                for key, value in found_streamers.items()
                if value is not None
            },
            users={key: packing.unpack_user(codec, value) for key, value in found_users.items() if value is not None},
            gone_rooms=tuple(key for key, value in found_rooms.items() if value is None),
            gone_users=tuple(key for key, value in found_users.items() if value is None),
        )

    def _checked(self, values: list[bytes | None]) -> Head:
        """The head of a store that has lost nothing."""
        head = Head.read(values, self)
        if head is None:
            raise StoreLostError(f"{self}: expected a store that a writer keeps, received none")
        if head.position < self._head.position:
            expected, received = self._head.position, head.position
            raise StoreLostError(f"{self}: expected a store at position {expected} or later, received {received}")
        if not head.stamp:
            raise StoreError(f"{self}: expected a writer that names its changes, received a store of an earlier one")
        return head
