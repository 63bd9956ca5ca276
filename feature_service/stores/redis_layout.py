"""Where things lie in a Redis: the keys of a store, and the stream that names what each checkpoint has changed.

Each checkpoint gives the store a new stamp, and its entry in the stream names the stamp before and after. So whoever
follows the stream from a stamp sees at once when an entry is missing, whatever has happened to the server.
"""

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from feature_service.stores.protocol import Changes, StoreError

FORMAT = 1
HEAD = ("format", "log", "position", "stamp")
"""Fields of the main hash that `Head` reads."""

LAYOUTS = "layouts"
ROOM = b"room:"

CHUNK = 500
"""Values that one command reads."""

STREAM_ENTRIES = 1_000
"""Entries that the stream keeps: over three minutes of checkpoints every 200 ms, a few MB."""

MOST_NAMES = 20_000
"""A checkpoint of more keys names none and follows nothing: to load the rooms anew takes a follower less."""

_KEY_BYTES = 8


@dataclass(frozen=True, slots=True)
class Head:
    """Which store it is, and where it stands.

    Attributes:
        log_id: Names the log whose view the records are.
        position: The log position that they include.
        stamp: The last checkpoint's; empty in a store of before there were stamps.
    """

    log_id: str
    position: int
    stamp: str

    @classmethod
    def read(cls, values: Sequence[bytes | None], store: object) -> Self | None:
        """The head in the values of the fields `HEAD`; None for an empty store, or one that has lost it.

        Args:
            values: Of the fields, in their order.
            store: Says in the error which store it is.

        Raises:
            StoreError: It is a store of another format.
        """
        found, log_id, position, stamp = ("" if each is None else each.decode() for each in values)
        if not found or not position:
            return None
        if found != str(FORMAT):
            raise StoreError(f"{store}: expected a store of format {FORMAT}, received format {found}")
        return cls(log_id, int(position), stamp)


@dataclass(frozen=True, slots=True)
class Names:
    """The keys that have changed or are gone, of rooms, streamers and users."""

    rooms: frozenset[int] = frozenset()
    streamers: frozenset[int] = frozenset()
    users: frozenset[int] = frozenset()

    @classmethod
    def of(cls, changes: Changes) -> Self:
        """What a checkpoint changes."""
        rooms = frozenset(changes.rooms).union(changes.gone_rooms)
        return cls(rooms, frozenset(changes.streamers), frozenset(changes.users).union(changes.gone_users))

    def __len__(self) -> int:
        """Number of keys."""
        return len(self.rooms) + len(self.streamers) + len(self.users)

    def __or__(self, other: "Names") -> "Names":
        """The keys of both."""
        return Names(self.rooms | other.rooms, self.streamers | other.streamers, self.users | other.users)


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the stream: a checkpoint has brought the store from one stamp to the next.

    Attributes:
        before: The stamp of the checkpoint before; empty = there is none that this one could be followed from.
        after: The stamp of this one.
        names: What it changes.
    """

    before: str
    after: str
    names: Names

    def to_fields(self) -> dict[str, str | bytes]:
        """The entry's fields in the stream."""
        names = self.names
        return {
            "before": self.before,
            "after": self.after,
            "rooms": _pack(names.rooms),
            "streamers": _pack(names.streamers),
            "users": _pack(names.users),
        }

    @classmethod
    def from_fields(cls, fields: Mapping[bytes, bytes]) -> Self:
        """What `to_fields` has written."""
        names = Names(*(_unpack(fields[name]) for name in (b"rooms", b"streamers", b"users")))
        return cls(fields[b"before"].decode(), fields[b"after"].decode(), names)


class Keys:
    """The keys of the store with a prefix."""

    def __init__(self, prefix: str) -> None:
        """Makes the keys that there is one of.

        Args:
            prefix: Begins all keys; every store on the server has its own.
        """
        self.prefix = prefix.encode()
        self.main = self.prefix + b":store"
        self.changes = self.prefix + b":changes"
        self.erased = self.prefix + b":erased"
        self.streamers_and_users = self.prefix + b":[su]:*"

    def streamer(self, key: int) -> bytes:
        """The key of a streamer."""
        return self.prefix + b":s:" + to_bytes(key)

    def user(self, key: int) -> bytes:
        """The key of a user."""
        return self.prefix + b":u:" + to_bytes(key)


def room_field(key: int) -> bytes:
    """The field of a room in the main hash."""
    return ROOM + to_bytes(key)


def room_key(field: bytes) -> int:
    """The room of a field."""
    return from_bytes(field[len(ROOM) :])


def to_bytes(key: int) -> bytes:
    """A key of a room, streamer or user in the store."""
    return key.to_bytes(_KEY_BYTES, "big", signed=True)


def from_bytes(key: bytes) -> int:
    """What `to_bytes` has written."""
    return int.from_bytes(key, "big", signed=True)


def layouts_to_json(layouts: Mapping[bytes, str]) -> str:
    """Descriptions of record layouts by their id, as a field of the main hash."""
    return json.dumps({name.hex(): description for name, description in layouts.items()})


def layouts_from_json(text: bytes | None) -> dict[bytes, str]:
    """What `layouts_to_json` has written; nothing for an absent field."""
    return {} if text is None else {bytes.fromhex(name): each for name, each in json.loads(text).items()}


def _pack(keys: frozenset[int]) -> bytes:
    return struct.pack(f"<{len(keys)}q", *keys)


def _unpack(packed: bytes) -> frozenset[int]:
    return frozenset(struct.unpack(f"<{len(packed) // _KEY_BYTES}q", packed))
