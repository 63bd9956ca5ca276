"""Reads the values of a store in Redis: all rooms, and streamers by their keys."""

from collections.abc import Iterable
from itertools import islice
from typing import Any

from feature_service.stores import packing
from feature_service.stores.codec import RecordCodec
from feature_service.stores.protocol import StoredRoom, StoredStreamer
from feature_service.stores.redis_layout import CHUNK, ROOM, Keys, room_key


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
