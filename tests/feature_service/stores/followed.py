"""What the tests of followers write into a store."""

from typing import Any

from feature_service.features.state import State
from feature_service.stores.protocol import Changes, StoredRoom, StoredStreamer, StoredUser
from tests.feature_service.event_streams import CATALOG

DTYPES = State(CATALOG.memories).dtypes
ROOM, STREAMER = StoredRoom(b"", None, 8), StoredStreamer("s", b"")
FIRST, SECOND = StoredUser("first", b"", b""), StoredUser("second", b"", b"")
NOBODY: frozenset[int] = frozenset()


def changes(position: int, **changed: Any) -> Changes:
    """What a checkpoint has changed; nothing but what is named."""
    return Changes(**({"position": position, "rooms": {}, "streamers": {}, "users": {}} | changed))


def first() -> Changes:
    """Of the first checkpoint: two rooms of one streamer, and two users."""
    return changes(10, rooms={1: ROOM, 2: ROOM}, streamers={8: STREAMER}, users={5: FIRST, 6: FIRST})
