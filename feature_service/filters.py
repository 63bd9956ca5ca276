"""Filters: which candidates may not be shown to this user now."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from feature_service.features.reducers import Entry
from feature_service.live.table import Rows
from feature_service.stages import Filter, Request, World

NOT_INTERESTED_MS = 30 * 86_400_000
"""How long a streamer stays away from a user who was not interested: long enough to be felt, but tastes change."""


class Live:
    """Drops rooms that are not on air: not started, ended, taken down by the platform, or without a lease."""

    def keep(self, request: Request, world: World, rows: Rows) -> NDArray[np.bool_]:
        """Which rooms are on air, bool [n]."""
        return world.live.mask(rows, request.now_ms)


class Blocked:
    """Drops rooms of streamers whom the user has blocked, or was not interested in during the last 30 days.

    An event `not_interested` names a room, but a room is over within hours: it speaks of the streamer.
    """

    def keep(self, request: Request, world: World, rows: Rows) -> NDArray[np.bool_]:
        """Which rooms the user does not object to, bool [n]."""
        pairs = world.state.pairs.get(request.user_key)
        if pairs is None:
            return np.ones(len(rows), np.bool_)
        pair_rows = pairs.find_all(world.state.rooms.fields["streamer"][rows])
        refused_ms = pairs.fields["not_interested_ms"][pair_rows]
        refused = (refused_ms > 0) & (refused_ms > request.now_ms - NOT_INTERESTED_MS)
        return (pairs.fields["blocked"][pair_rows] == 0) & ~refused


class Seen:
    """Drops rooms that the user saw in the last `Scene.seen_minutes`, and those of earlier pages.

    Rooms of followed streamers come again, for who follows expects to find them as long as they are on air; but no page
    repeats an earlier one.
    """

    def keep(self, request: Request, world: World, rows: Rows) -> NDArray[np.bool_]:
        """Which rooms are new to the user, bool [n]."""
        rooms, users = world.state.rooms.fields, world.state.users
        room_keys = rooms["key"][rows]
        seen = users.fields["seen"][users.find(request.user_key)]
        lately = seen[Entry.TIME_MS] > request.now_ms - request.scene.seen_minutes * 60_000
        stays = ~_contains(seen[Entry.ROOM, lately], room_keys)
        pairs = world.state.pairs.get(request.user_key)
        if pairs is not None:
            stays |= pairs.fields["followed"][pairs.find_all(rooms["streamer"][rows])] > 0
        return stays & ~_contains(request.excluded, room_keys)


class Frequency:
    """Drops rooms of streamers whom the user saw `Scene.frequency_cap` times in `Scene.frequency_hours`.

    Followed streamers come again. The records hold the user's last impressions, so a cap reaches as far as they do.
    """

    def keep(self, request: Request, world: World, rows: Rows) -> NDArray[np.bool_]:
        """Which rooms are not shown too often, bool [n]."""
        users, streamers = world.state.users, world.state.rooms.fields["streamer"][rows]
        seen = users.fields["seen"][users.find(request.user_key)]
        lately = seen[Entry.TIME_MS] > request.now_ms - request.scene.frequency_hours * 3_600_000
        keys, counts = np.unique(seen[Entry.STREAMER, lately], return_counts=True)
        stays = ~_contains(keys[counts >= request.scene.frequency_cap], streamers)
        pairs = world.state.pairs.get(request.user_key)
        if pairs is not None:
            stays |= pairs.fields["followed"][pairs.find_all(streamers)] > 0
        return stays


FILTERS: dict[str, Callable[[], Filter]] = {"live": Live, "blocked": Blocked, "seen": Seen, "frequency": Frequency}
"""The filters by the names that scenes list."""


def _contains(held: NDArray[np.int64], keys: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which keys stand in `held`, bool [n]; a binary search."""
    if not len(held):
        return np.zeros(len(keys), np.bool_)
    ordered = np.sort(held)
    return ordered[np.minimum(np.searchsorted(ordered, keys), len(ordered) - 1)] == keys
