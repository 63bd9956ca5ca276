"""The protocol of stores: the records and facts up to a log position, by key."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from feature_service.erasures import Erasure
from feature_service.features.facts import RoomFacts


class StoreError(RuntimeError):
    """A store that cannot be opened, read or written: names the place, what was expected and received."""


class StoreLostError(StoreError):
    """A store that has lost what it held: it stands at an earlier position than before. The log fills it again."""


class StoreAheadError(StoreError):
    """A store that somebody else has brought further than its follower is; what has changed must be read first."""


class GapError(StoreError):
    """What has changed is not known any more from where a follower stands; a snapshot leads on."""


@dataclass(frozen=True, slots=True)
class StoredRoom:
    """A room.

    Attributes:
        record: The bytes of its record, in the present dtype.
        facts: What is known in words; None for a room of which only viewers' events have come.
        streamer: Key of its streamer; 0 = not known yet.
    """

    record: bytes
    facts: RoomFacts | None
    streamer: int


@dataclass(frozen=True, slots=True)
class StoredStreamer:
    """A streamer: the platform's id, and the bytes of the record, empty when there is none."""

    streamer_id: str
    record: bytes


@dataclass(frozen=True, slots=True)
class StoredUser:
    """A user.

    Attributes:
        user_id: The platform's id.
        record: The bytes of the record, empty when there is none.
        pairs: The bytes of the records of the user's streamers, one behind the other.
    """

    user_id: str
    record: bytes
    pairs: bytes


@dataclass(frozen=True, slots=True)
class Live:
    """What must be in memory from the start: the rooms and their streamers, by key."""

    position: int
    rooms: Mapping[int, StoredRoom]
    streamers: Mapping[int, StoredStreamer]


@dataclass(frozen=True, slots=True)
class Changes:
    """What has changed since the last checkpoint, by key.

    Attributes:
        position: The log position that the records include.
        rooms: Rooms that are new or have changed.
        streamers: The same of streamers.
        users: The same of users, each with all of the pairs.
        gone_rooms: Rooms that are off air for good.
        gone_users: Users that have been erased, with their pairs.
    """

    position: int
    rooms: Mapping[int, StoredRoom]
    streamers: Mapping[int, StoredStreamer]
    users: Mapping[int, StoredUser]
    gone_rooms: tuple[int, ...] = ()
    gone_users: tuple[int, ...] = ()


class Store(Protocol):
    """Holds the last checkpoint. Users and streamers are read one by one, when somebody needs them.

    Records come in the present dtypes, whatever layout they were written in.
    """

    @property
    def position(self) -> int:
        """The log position that the records include; 0 for an empty store."""
        ...

    def load_live(self) -> Live:
        """The rooms, and their streamers.

        Raises:
            StoreError: The store cannot be read.
        """
        ...

    def load_streamer(self, key: int) -> StoredStreamer | None:
        """One streamer; None when unknown.

        Raises:
            StoreError: The store cannot be read.
        """
        ...

    def load_user(self, key: int) -> StoredUser | None:
        """One user; None when unknown.

        Raises:
            StoreError: The store cannot be read.
        """
        ...

    def checkpoint(self, changes: Changes) -> None:
        """Writes changes and their position, all or nothing; blocks, so it runs in a thread.

        Changes up to an earlier position than the store's are left out: they are part of it.

        Raises:
            StoreError: They could not be written; the store is as before.
            StoreLostError: The store has lost what earlier checkpoints wrote; these alone would make half a store.
        """
        ...

    def tell_erased(self, erasures: Sequence[Erasure]) -> None:
        """Keeps who was erased for those who follow the store, and lets nothing of them stay behind in it. Blocks.

        A store that nobody can follow need not keep them. What may stay behind are the traces of what is gone already:
        who is named among the changes, or stands in what was written before it.

        Raises:
            StoreError: It cannot be written.
        """
        ...

    def close(self) -> None:
        """Lets go of the store."""
        ...


class Follower(Protocol):
    """Reads a store that another process writes: all that it reads together includes one log position.

    Its methods block, so all but `load_user`, which is quick, run in a thread, one at a time.
    """

    def snapshot(self, users: frozenset[int], streamers: frozenset[int]) -> Changes:
        """All rooms with their streamers, and whom the follower has in memory.

        Args:
            users: Users to read as well; who is not there any more is among the gone ones.
            streamers: Streamers to read beside those of the rooms.

        Raises:
            StoreLostError: The store is empty, or stands at an earlier position than it was seen at.
            StoreError: It cannot be read.
        """
        ...

    def wait(self) -> None:
        """Waits for news, but not for long.

        Raises:
            StoreError: The store cannot be read.
        """
        ...

    def changes(self, users: frozenset[int]) -> Changes | None:
        """What has changed since the last look, None for nothing: rooms, streamers, and those of some users.

        Args:
            users: The users in memory.

        Raises:
            GapError: It is not known any more what has changed.
            StoreError: As `snapshot`.
        """
        ...

    def load_user(self, key: int) -> StoredUser | None:
        """One user as of the checkpoint that was read last; None when unknown.

        Raises:
            StoreAheadError: The store has a later one by now.
            StoreError: It cannot be read.
        """
        ...

    def erasures(self) -> list[Erasure]:
        """Who was erased, as far as the writer has told; apart from all else, so at any time.

        Raises:
            StoreError: It cannot be read.
            LogError: Likewise.
        """
        ...

    def close(self) -> None:
        """Lets go of the store."""
        ...
