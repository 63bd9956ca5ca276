"""Values of a store in Redis that come by many: all rooms, streamers by their keys, and who was erased."""

import struct
from collections.abc import Iterable, Set
from itertools import islice
from typing import Any

from feature_service.erasures import Erasure
from feature_service.stores import packing
from feature_service.stores.codec import RecordCodec
from feature_service.stores.protocol import StoredRoom, StoredStreamer
from feature_service.stores.redis_layout import CHUNK, ROOM, Entry, Keys, from_bytes, room_key, to_bytes

_ERASURE = struct.Struct("<qq")
"""Log position, and Unix milliseconds."""


def load_rooms(client: Any, keys: Keys, codec: RecordCodec) -> dict[int, StoredRoom]:
    """The rooms; one that is written meanwhile is there as it was or as it is."""
    found = client.hscan_iter(keys.main, match=ROOM + b"*", count=CHUNK)
    return {room_key(field): packing.unpack_room(codec, value) for field, value in found}


def load_streamers(client: Any, keys: Keys, codec: RecordCodec, wanted: Iterable[int]) -> dict[int, StoredStreamer]:
    """Those of the wanted streamers that there are."""
    found: dict[int, StoredStreamer] = {}
    each = iter(wanted)
    while chunk := list(islice(each, CHUNK)):
        for key, value in zip(chunk, client.mget(map(keys.streamer, chunk)), strict=True):
            if value is not None:
                found[key] = packing.unpack_streamer(codec, value)
    return found


def save_erasures(client: Any, keys: Keys, erasures: Iterable[Erasure]) -> None:
    """Keeps who was erased, by key and without the id."""
    each = iter(erasures)
    while chunk := list(islice(each, CHUNK)):
        packed = {to_bytes(one.key): _ERASURE.pack(one.position, one.time_ms) for one in chunk}
        client.hset(keys.erased, mapping=packed)


def names_any(client: Any, keys: Keys, users: Set[int]) -> bool:
    """Whether the stream of changes names one of some users."""
    return any(Entry.from_fields(fields).names.users & users for _, fields in client.xrange(keys.changes))


def load_erasures(client: Any, keys: Keys) -> list[Erasure]:
    """What `save_erasures` has kept."""
    found: list[Erasure] = []
    for key, packed in client.hscan_iter(keys.erased, count=CHUNK):
        position, time_ms = _ERASURE.unpack(packed)
        found.append(Erasure(from_bytes(key), time_ms, position, ""))
    return found
