"""The re-ranker `spacing`: rooms of one category, or of one streamer, do not crowd together."""

import numpy as np
from numpy.typing import NDArray

from feature_service.rerank.moves import moves, pool_of
from feature_service.stages import Order, Ranked, Request, World

_TAKEN = np.iinfo(np.int64).max


class Spacing:
    """At most one room of a category in `Scene.category_gap` neighbouring places, and so for streamers.

    Place by place, the first room that keeps both gaps moves up; where none does, the first one stays in its place: the
    re-ranker drops nothing. A room of an unknown category keeps no distance.
    """

    def order(self, request: Request, world: World, ranked: Ranked, places: NDArray[np.intp]) -> Order:
        """The slate's k places first."""
        pool = pool_of(ranked, places, request.k)
        if not len(pool):
            return Order(pool)
        rooms, rows = world.state.rooms.fields, ranked.candidates.rows[pool]
        categories, streamers = rooms["category"][rows], rooms["streamer"][rows]
        gaps = ((streamers, request.scene.streamer_gap), (categories, request.scene.category_gap))
        chosen = _choose(gaps, min(request.k, len(pool)))

        def because(room: int, taken: int) -> str:
            for keys, kind in ((streamers, "streamer"), (categories, "category")):
                same = np.flatnonzero(keys[chosen[:taken]] == keys[room])
                if len(same) and keys[room]:
                    return f"same {kind} as place {same[-1] + 1}"
            return "others moved up"

        return Order(pool[chosen], moves(pool, chosen, because))


def _choose(gaps: tuple[tuple[NDArray[np.int64], int], ...], count: int) -> list[int]:
    """The chosen rooms as indices in the pool.

    Args:
        gaps: Keys of the pool's rooms, int64 [n], and the gap that equal keys keep.
        count: Rooms to choose.
    """
    allowed_at = np.zeros(len(gaps[0][0]), np.int64)
    chosen: list[int] = []
    for place in range(count):
        first = int(np.argmax(allowed_at <= place))
        if allowed_at[first] > place:
            first = int(np.argmax(allowed_at < _TAKEN))
        chosen.append(first)
        for keys, gap in gaps:
            if keys[first]:
                np.maximum(allowed_at, place + gap, out=allowed_at, where=keys == keys[first])
        allowed_at[first] = _TAKEN
    return chosen
