"""The keeper: which users and streamers are in memory, and what the next checkpoint has to write."""

from dataclasses import dataclass, field

from feature_service.features.events import Event
from feature_service.features.facts import RoomFacts
from feature_service.features.state import State, keys_of
from feature_service.stores.protocol import Changes, Store, StoredRoom, StoredStreamer, StoredUser
from feature_service.stores.residents import MAX_STREAMERS, MAX_USERS, Residents


@dataclass(slots=True)
class _Touched:
    """Keys whose records or facts have changed."""

    rooms: set[int] = field(default_factory=set[int])
    streamers: set[int] = field(default_factory=set[int])
    users: set[int] = field(default_factory=set[int])

    def add(self, other: "_Touched") -> None:
        self.rooms |= other.rooms
        self.streamers |= other.streamers
        self.users |= other.users


class StateKeeper:
    """Brings users and streamers into the state when they are needed, and writes back what has changed.

    What has changed stays resident until a checkpoint with it is in the store; of the others the coldest leave first.
    """

    def __init__(
        self, state: State, store: Store, *, max_users: int = MAX_USERS, max_streamers: int = MAX_STREAMERS
    ) -> None:
        """Keeps a state that is still empty.

        Args:
            state: The state.
            store: Its last checkpoint.
            max_users: Users in memory; far above the number of requests at a time.
            max_streamers: Streamers in memory.
        """
        self._state = state
        self._store = store
        self._residents = Residents(state, max_users=max_users, max_streamers=max_streamers)
        self._touched = _Touched()
        self._saving = _Touched()
        self._stored_rooms: set[int] = set()
        self._stored_position = self._saving_position = 0
        self._rooms_after: set[int] = set()

    def restore(self) -> int:
        """Loads the rooms and their streamers.

        Returns:
            The log position from which the events have to be applied again.

        Raises:
            StoreError: The store cannot be read.
        """
        live = self._store.load_live()
        self._residents.put_rooms(live.rooms)
        self._stored_rooms = set(live.rooms)
        self._residents.put_streamers(live.streamers)
        self._stored_position = live.position
        return live.position

    def prepare(self, event: Event) -> None:
        """Makes resident whatever an event touches; before the state applies it.

        Raises:
            StoreError: The store cannot be read.
        """
        keys = keys_of(event)
        self.ensure_user(keys.user)
        self.ensure_streamer(keys.streamer)

    def ensure_user(self, key: int) -> None:
        """Makes a user resident, with the pairs; a key of 0 is nobody.

        Raises:
            StoreError: The store cannot be read.
        """
        users = self._residents.users
        if key in users:
            users.move_to_end(key)
        elif key:
            self._residents.put_user(key, self._store.load_user(key))

    @property
    def stored_position(self) -> int:
        """The log position of the last checkpoint."""
        return self._stored_position

    @property
    def lag(self) -> str:
        """Nobody else writes the store, so the state is always the newest."""
        return ""

    async def ready(self, user_key: int) -> None:
        """As `ensure_user`."""
        self.ensure_user(user_key)

    def ensure_streamer(self, key: int) -> None:
        """Makes a streamer resident; a key of 0 is nobody.

        Raises:
            StoreError: The store cannot be read.
        """
        streamers = self._residents.streamers
        if key in streamers:
            streamers.move_to_end(key)
        elif key:
            stored = self._store.load_streamer(key)
            streamers[key] = None
            if stored is not None:
                self._residents.put_streamers({key: stored})

    def touched(self, event: Event) -> None:
        """Notes what an event that the state has applied may have changed."""
        keys = keys_of(event)
        if keys.user:
            self._touched.users.add(keys.user)
        if keys.room:
            self._touched.rooms.add(keys.room)
        if keys.streamer:
            self._touched.streamers.add(keys.streamer)

    def touch_all(self) -> None:
        """Notes everything in memory as changed."""
        rooms, streamers = set(self._state.rooms), set(self._state.streamers)
        self._touched.add(_Touched(rooms, streamers, set(self._state.facts.users)))

    def collect(self, position: int) -> Changes:
        """Copies what has changed since the last checkpoint; `committed` or `failed` must follow.

        Args:
            position: The log position that the state includes.
        """
        self._saving, self._touched = self._touched, _Touched()
        self._saving_position = position
        state, saving = self._state, self._saving
        erased = {key for key in saving.users if key not in state.facts.users}
        # A checkpoint that has failed by its answer alone may have stored a room that is gone now.
        gone_rooms = (self._stored_rooms | saving.rooms).difference(state.rooms)
        self._rooms_after = set(state.rooms)
        return Changes(
            position=position,
            rooms={key: self._room(key) for key in saving.rooms if key in state.rooms},
            streamers={key: self._streamer(key) for key in saving.streamers if key in state.facts.streamers},
            users={key: self._user(key) for key in saving.users - erased},
            gone_rooms=tuple(gone_rooms),
            gone_users=tuple(erased),
        )

    def committed(self) -> None:
        """The store holds the collected changes: what has not changed again may leave the memory."""
        self._stored_rooms = self._rooms_after
        self._stored_position = self._saving_position
        self._saving = _Touched()
        self._residents.evict(self._touched.users, self._touched.streamers)

    def failed(self) -> None:
        """The store does not hold the collected changes: they are part of the next ones."""
        self._touched.add(self._saving)
        self._saving = _Touched()

    def refilled(self, rooms: set[int]) -> None:
        """The store was filled again from the log, and holds these rooms too; those that are gone leave it."""
        self._stored_rooms |= rooms

    def _room(self, key: int) -> StoredRoom:
        facts = self._state.facts.rooms.get(key)
        copied = None if facts is None else RoomFacts(facts.room_id, facts.streamer_id, dict(facts.texts))
        rooms = self._state.rooms
        return StoredRoom(rooms.get(key) or b"", copied, int(rooms.fields["streamer"][rooms.find(key)]))

    def _streamer(self, key: int) -> StoredStreamer:
        return StoredStreamer(self._state.facts.streamers[key], self._state.streamers.get(key) or b"")

    def _user(self, key: int) -> StoredUser:
        pairs = self._state.pairs.get(key)
        return StoredUser(
            self._state.facts.users[key],
            self._state.users.get(key) or b"",
            b"" if pairs is None else pairs.dump(),
        )
