"""The state: all records and facts that events have left, and the views that requests read."""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from feature_service.features.events import Event, EventKind, is_late
from feature_service.features.facts import Facts
from feature_service.features.records import RecordDtype, Table, record_dtype
from feature_service.features.reducers import Entity, Keys, Memory, Update
from feature_service.features.schema import key_of
from feature_service.features.view import Columns, Context, View

_KEY_PLACES = {name: place for place, name in enumerate(Keys._fields)}

_Updates = tuple[tuple[Entity, tuple[Update, ...]], ...]
_BoundUpdates = tuple[tuple[int, Table | None, tuple[Update, ...]], ...]


class State:
    """Records of rooms, streamers, users and pairs, and facts; the same class in the service and in replay.

    Attributes:
        rooms: Records of rooms.
        streamers: Records of streamers.
        users: Records of users.
        pairs: Records of a user's streamers, by user key.
        facts: Strings.
        no_pairs: The table of users of whom no pair is known; empty.
        position: The log position that the records include: the number of events before it. Its driver sets it.
    """

    def __init__(self, memories: Iterable[Memory]) -> None:
        memories = tuple(memories)
        self.dtypes: Mapping[Entity, RecordDtype] = {entity: record_dtype(memories, entity) for entity in Entity}
        self.rooms = Table(self.dtypes[Entity.ROOM])
        self.streamers = Table(self.dtypes[Entity.STREAMER])
        self.users = Table(self.dtypes[Entity.USER])
        self.pairs: dict[int, Table] = {}
        self.facts = Facts()
        self.position = 0
        self.no_pairs = Table(self.dtypes[Entity.PAIR], capacity=1)
        self._updates = self._bound(_by_kind(memories))

    def apply(self, event: Event) -> None:
        """Takes one event in. Late events and rooms that were only sampled change no record.

        A user who is erased is, however late that is said. An event without its user, as the log has it of somebody who
        was erased, counts for its room and streamer.
        """
        if event.kind is EventKind.USER_ERASED:
            self._erase(key_of("user", event.user_id))
            return
        if event.sampled or is_late(event):
            return
        self.facts.learn(event)
        keys = keys_of(event)
        for key_place, table, updates in self._updates[event.kind]:
            key = keys[key_place]
            if not key:
                continue
            if table is None:
                if not keys.user:
                    continue
                table = self.pairs_of(keys.user)
            row = table.row(key)
            columns = table.fields
            for update in updates:
                update(columns, row, event, keys)

    def _erase(self, user_key: int) -> None:
        self.users.remove(user_key)
        self.pairs.pop(user_key, None)
        self.facts.users.pop(user_key, None)

    def view(
        self,
        user_key: int,
        rows: NDArray[np.intp],
        streamer_rows: NDArray[np.intp],
        context: Context,
        now_ms: int,
    ) -> View:
        """The columns of one request.

        Args:
            user_key: The user's key; an unknown user reads zeros.
            rows: Rows of the candidates in `rooms`, [N].
            streamer_rows: Rows of their streamers in `streamers`, [N].
            context: Where and how the user asks.
            now_ms: The request's clock, Unix milliseconds.
        """
        pairs, pair_rows = self.pairs_with(user_key, streamer_rows)
        return View(
            now_ms=np.array([now_ms], np.int64),
            contexts=(context,),
            user_keys=np.array([user_key], np.int64),
            user=Columns(self.users, self.users.rows_of(user_key), Entity.USER, now_ms),
            request=None,
            room=Columns(self.rooms, rows, Entity.ROOM, now_ms),
            streamer=Columns(self.streamers, streamer_rows, Entity.STREAMER, now_ms),
            pair=Columns(pairs, pair_rows, Entity.PAIR, now_ms),
        )

    def pairs_with(self, user_key: int, streamer_rows: NDArray[np.intp]) -> tuple[Table, NDArray[np.intp]]:
        """A user's records of these streamers: their table, which is empty for an unknown user, and the rows, [N]."""
        pairs = self.pairs.get(user_key, self.no_pairs)
        return pairs, pairs.find_all(self.streamers.fields["key"][streamer_rows])

    def pairs_of(self, user_key: int) -> Table:
        """The records of a user's streamers, a new table when there is none."""
        table = self.pairs.get(user_key)
        if table is None:
            table = self.pairs[user_key] = Table(self.dtypes[Entity.PAIR], capacity=4)
        return table

    def _bound(self, updates: dict[EventKind, _Updates]) -> dict[EventKind, _BoundUpdates]:
        """The updates with the place of the key in `Keys` and the table; no table = the pairs of the user."""
        homes: dict[Entity, tuple[int, Table | None]] = {
            Entity.ROOM: (_KEY_PLACES["room"], self.rooms),
            Entity.STREAMER: (_KEY_PLACES["streamer"], self.streamers),
            Entity.USER: (_KEY_PLACES["user"], self.users),
            Entity.PAIR: (_KEY_PLACES["streamer"], None),
        }
        return {
            kind: tuple((homes[entity][0], homes[entity][1], each) for entity, each in found)
            for kind, found in updates.items()
        }


def keys_of(event: Event) -> Keys:
    """The keys of an event's ids."""
    return Keys(
        key_of("user", event.user_id),
        key_of("room", event.room_id),
        key_of("streamer", event.streamer_id),
        key_of("category", event.category),
    )


def _by_kind(memories: tuple[Memory, ...]) -> dict[EventKind, _Updates]:
    """The updates that each kind of event makes, by entity; a memory declared twice updates once."""
    found: dict[EventKind, dict[Entity, list[Update]]] = {kind: {} for kind in EventKind}
    for memory in dict.fromkeys(memories):
        for kind, update in memory.updates():
            found[kind].setdefault(memory.entity, []).append(update)
    return {
        kind: tuple((entity, tuple(updates)) for entity, updates in entities.items())
        for kind, entities in found.items()
    }
