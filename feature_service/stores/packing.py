"""Packing: a stored room, streamer or user as one value of bytes, for stores that know no columns."""

import json
import struct
from collections.abc import Sequence

from feature_service.features.facts import RoomFacts
from feature_service.features.reducers import Entity
from feature_service.stores.codec import RecordCodec
from feature_service.stores.protocol import StoredRoom, StoredStreamer, StoredUser, StoreError

_KEY = struct.Struct("<q")
_LENGTH = struct.Struct("<I")


def pack_room(codec: RecordCodec, room: StoredRoom) -> bytes:
    """A room: the streamer's key, its facts, its record."""
    facts = facts_to_json(room.facts)
    return _join(_KEY.pack(room.streamer), (facts or "").encode(), codec.pack(Entity.ROOM, room.record))


def unpack_room(codec: RecordCodec, value: bytes) -> StoredRoom:
    """What `pack_room` has packed.

    Raises:
        StoreError: The value is damaged, or its layout is unknown.
    """
    streamer, facts, record = _split(value, 3, Entity.ROOM)
    return StoredRoom(
        codec.unpack(Entity.ROOM, record), facts_from_json(facts.decode() or None), _KEY.unpack(streamer)[0]
    )


def pack_streamer(codec: RecordCodec, streamer: StoredStreamer) -> bytes:
    """A streamer: the id, the record."""
    return _join(streamer.streamer_id.encode(), codec.pack(Entity.STREAMER, streamer.record))


def unpack_streamer(codec: RecordCodec, value: bytes) -> StoredStreamer:
    """What `pack_streamer` has packed.

    Raises:
        StoreError: The value is damaged, or its layout is unknown.
    """
    streamer_id, record = _split(value, 2, Entity.STREAMER)
    return StoredStreamer(streamer_id.decode(), codec.unpack(Entity.STREAMER, record))


def pack_user(codec: RecordCodec, user: StoredUser) -> bytes:
    """A user: the id, the record, the pairs."""
    return _join(user.user_id.encode(), codec.pack(Entity.USER, user.record), codec.pack(Entity.PAIR, user.pairs))


def unpack_user(codec: RecordCodec, value: bytes) -> StoredUser:
    """What `pack_user` has packed.

    Raises:
        StoreError: The value is damaged, or its layout is unknown.
    """
    user_id, record, pairs = _split(value, 3, Entity.USER)
    return StoredUser(user_id.decode(), codec.unpack(Entity.USER, record), codec.unpack(Entity.PAIR, pairs))


def facts_to_json(facts: RoomFacts | None) -> str | None:
    """A room's facts as JSON; None for none."""
    if facts is None:
        return None
    return json.dumps([facts.room_id, facts.streamer_id, facts.texts], ensure_ascii=False)


def facts_from_json(text: str | None) -> RoomFacts | None:
    """What `facts_to_json` has written."""
    if text is None:
        return None
    room_id, streamer_id, texts = json.loads(text)
    return RoomFacts(room_id, streamer_id, {name: (time_ms, given) for name, (time_ms, given) in texts.items()})


def _join(*parts: bytes) -> bytes:
    """Parts behind their lengths."""
    return b"".join((*(_LENGTH.pack(len(part)) for part in parts), *parts))


def _split(value: bytes, count: int, entity: Entity) -> Sequence[bytes]:
    """The parts that `_join` has joined."""
    start = count * _LENGTH.size
    lengths = [_LENGTH.unpack_from(value, place)[0] for place in range(0, start, _LENGTH.size)] if value[start:] else []
    if start + sum(lengths) != len(value):
        raise StoreError(f"{entity}: expected {count} packed parts, received {len(value)} damaged bytes")
    parts: list[bytes] = []
    for length in lengths:
        parts.append(value[start : start + length])
        start += length
    return parts
