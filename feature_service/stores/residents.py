"""Residents: the users and streamers who are in memory; of more than a number, the coldest leave."""

from collections import OrderedDict
from collections.abc import Collection, Mapping
from itertools import islice

import numpy as np

from feature_service.features.records import Table
from feature_service.features.state import State
from feature_service.stores.protocol import StoredRoom, StoredStreamer, StoredUser

MAX_USERS = 20_000
"""Users in memory, 5 kB each and a few kB for their streamers."""

MAX_STREAMERS = 50_000
"""Streamers in memory, half a kB each; those with a room in the state stay, however many they are."""


class Residents:
    """Puts stored records into a state, and keeps it small.

    Resident means: the state holds all that is known, be it nothing. Rooms are all in memory.

    Attributes:
        users: Keys of the resident users, the coldest first.
        streamers: The same of the streamers.
    """

    def __init__(self, state: State, *, max_users: int = MAX_USERS, max_streamers: int = MAX_STREAMERS) -> None:
        """Takes over a state that is still empty.

        Args:
            state: The state.
            max_users: Users in memory; far above the number of requests at a time.
            max_streamers: Streamers in memory.
        """
        self.users: OrderedDict[int, None] = OrderedDict()
        self.streamers: OrderedDict[int, None] = OrderedDict()
        self._state = state
        self._max_users = max_users
        self._max_streamers = max_streamers

    def put_rooms(self, rooms: Mapping[int, StoredRoom]) -> None:
        """Sets rooms, with their facts."""
        _put(self._state.rooms, b"".join(room.record for room in rooms.values()))
        self._state.facts.rooms.update({key: room.facts for key, room in rooms.items() if room.facts is not None})

    def put_streamers(self, streamers: Mapping[int, StoredStreamer]) -> None:
        """Makes streamers resident."""
        _put(self._state.streamers, b"".join(streamer.record for streamer in streamers.values()))
        self._state.facts.streamers.update({key: streamer.streamer_id for key, streamer in streamers.items()})
        self.streamers.update(dict.fromkeys(streamers))

    def put_user(self, key: int, stored: StoredUser | None) -> None:
        """Makes a user resident, with the pairs; None = nothing is known."""
        self._forget_user(key)
        self.users[key] = None
        if stored is not None:
            self._state.facts.users[key] = stored.user_id
            _put(self._state.users, stored.record)
            if stored.pairs:
                _put(self._state.pairs_of(key), stored.pairs)

    def evict(self, kept_users: Collection[int] = (), kept_streamers: Collection[int] = ()) -> None:
        """Lets the coldest go, but for those who are to be kept."""
        for key in _coldest(self.users, self._max_users):
            if key not in kept_users:
                del self.users[key]
                self._forget_user(key)
        if coldest := _coldest(self.streamers, self._max_streamers):
            # The live table holds rows of the streamers of all rooms.
            in_use = set(np.unique(self._state.rooms.fields["streamer"]).tolist()).union(kept_streamers)
            for key in coldest:
                if key not in in_use:
                    del self.streamers[key]
                    self._state.streamers.remove(key)
                    self._state.facts.streamers.pop(key, None)

    def _forget_user(self, key: int) -> None:
        self._state.users.remove(key)
        self._state.pairs.pop(key, None)
        self._state.facts.users.pop(key, None)


def _coldest(resident: OrderedDict[int, None], limit: int) -> list[int]:
    return list(islice(resident, max(len(resident) - limit, 0)))


def _put(table: Table, records: bytes) -> None:
    table.put(np.frombuffer(records, table.dtype))
