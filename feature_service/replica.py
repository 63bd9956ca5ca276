"""A replica: keeps its state as of the last checkpoint that the writer has put into Redis, and answers from it.

The state steps from one checkpoint to the next at once, between the requests' awaits, with the rooms, their streamers
and the users in memory. So all that an answer reads includes one log position, the one that it tells.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from feature_service.clock import NowMs
from feature_service.features.catalog import Catalog
from feature_service.features.events import EventKind
from feature_service.features.records import RecordDtype
from feature_service.features.reducers import Entity
from feature_service.features.state import State
from feature_service.live.table import ROOM_EVENTS, LiveTable
from feature_service.stores.protocol import Changes, Follower, GapError, StoreAheadError, StoreError
from feature_service.stores.residents import Residents

RETRY_S = 0.2
"""Pause after a look that failed."""

PATIENCE_S = 0.2
"""A request waits for so long at most until the state has come to where the store is."""

log = logging.getLogger(__name__)


class Replica:
    """Follows the store, and brings users into the state when a request needs them."""

    def __init__(
        self,
        follower: Follower,
        state: State,
        live: LiveTable,
        catalog: Catalog,
        room_changed: Callable[[int], None],
        now_ms: NowMs,
    ) -> None:
        """Takes over a state that is still empty.

        Args:
            follower: Reads the store.
            state: The state.
            live: The rooms on air.
            catalog: Knows what rooms tell of themselves.
            room_changed: Told the row of a room that started, changed or went off air.
            now_ms: The service's clock.
        """
        self._follower = follower
        self._state = state
        self._live = live
        self._residents = Residents(state)
        self._told_bytes = told_bytes(catalog, state.rooms.dtype)
        self._room_changed = room_changed
        self._now_ms = now_ms
        self._stepping = asyncio.Lock()
        self._stepped = asyncio.Event()
        self._problem = ""

    @property
    def stored_position(self) -> int:
        """Somebody else writes the store."""
        return -1

    @property
    def lag(self) -> str:
        """Why the records may not be the newest; empty = they are."""
        return self._problem

    async def ready(self, user_key: int) -> None:
        """Makes a user resident, as of the position of the state.

        Raises:
            StoreError: The store cannot be read, or goes on faster than the state follows.
        """
        if user_key in self._residents.users:
            self._residents.users.move_to_end(user_key)
            return
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not await self._load(user_key):
                    await self._stepped.wait()
        except TimeoutError:
            raise StoreError(f"{self._follower}: expected the next step in {PATIENCE_S} s, received none") from None

    async def start(self) -> None:
        """Reads all rooms for the first time.

        Raises:
            StoreError: The store cannot be read, or is empty.
        """
        await self._step(anew=True)

    async def keep_following(self) -> None:
        """Follows the store, until cancelled; what it cannot follow, it reads anew."""
        while True:
            try:
                if not self._problem:
                    await asyncio.to_thread(self._follower.wait)
                await self._step(anew=bool(self._problem))
                self._problem = ""
            except StoreError as error:
                if not self._problem:
                    log.warning("records stay as of position %d: %s", self._state.position, error)
                self._problem = str(error)
                if not isinstance(error, GapError):
                    await asyncio.sleep(RETRY_S)

    async def _step(self, *, anew: bool) -> None:
        """Brings the state to where the store is."""
        async with self._stepping:
            users, streamers = frozenset(self._residents.users), frozenset(self._residents.streamers)
            if anew:
                changes = await asyncio.to_thread(self._follower.snapshot, users, streamers)
                self._forget_rooms(set(self._state.rooms).difference(changes.rooms))
                log.info("%d rooms read at position %d", len(changes.rooms), changes.position)
            else:
                changes = await asyncio.to_thread(self._follower.changes, users)
            if changes is not None:
                self._take(changes)
        self._stepped.set()

    async def _load(self, user_key: int) -> bool:
        """Loads a user; returns whether the state is where the store is, else `_stepped` tells when it may be."""
        async with self._stepping:
            self._stepped.clear()
            try:
                self._residents.put_user(user_key, self._follower.load_user(user_key))
            except StoreAheadError:
                return False
            return True

    def _take(self, changes: Changes) -> None:
        """Steps to the position of what was read."""
        state, residents = self._state, self._residents
        self._forget_rooms(changes.gone_rooms)
        before = self._told(changes.rooms)
        residents.put_streamers(changes.streamers)
        residents.put_rooms(changes.rooms)
        for key in changes.gone_users:
            residents.put_user(key, None)
        for key, user in changes.users.items():
            residents.put_user(key, user)
        state.position = changes.position
        rows = self._rows(changes.rooms)
        self._live.renew(rows, self._now_ms())
        for row in rows[(before != self._told(changes.rooms)).any(axis=1)].tolist():
            self._room_changed(row)
        residents.evict()

    def _told(self, keys: Iterable[int]) -> NDArray[np.uint8]:
        """What rooms have told of themselves, bytes [n, width]; what viewers do is no part of it."""
        return self._state.rooms.gather(self._rows(keys))[:, self._told_bytes]

    def _rows(self, keys: Iterable[int]) -> NDArray[np.intp]:
        """The rows of rooms, 0 for those that are new."""
        return np.array([self._state.rooms.find(key) for key in keys], np.intp)

    def _forget_rooms(self, keys: Iterable[int]) -> None:
        for key in keys:
            if row := self._state.rooms.find(key):
                self._live.forget(row)
                self._room_changed(row)


def told_bytes(catalog: Catalog, dtype: RecordDtype) -> NDArray[np.bool_]:
    """Which bytes of a room's record only events of the room itself change, bool [size of a record]."""
    kinds: dict[str, set[EventKind]] = {}
    for memory in catalog.memories:
        if memory.entity is Entity.ROOM:
            for name, *_ in memory.fields():
                kinds.setdefault(name, set()).update(kind for kind, _ in memory.updates())
    told = np.zeros(dtype.itemsize, np.bool_)
    for name, (field, offset, *_) in (dtype.fields or {}).items():
        if name in kinds and kinds[name] <= set(ROOM_EVENTS):
            told[offset : offset + field.itemsize] = True
    return told
