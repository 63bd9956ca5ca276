"""The re-ranker `spacing`: rooms of one category, or of one streamer, do not crowd together."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from feature_service.rerank.moves import moves, pool_of
from feature_service.stages import Order, Ranked, Request, World


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
        chosen = _choose([(keys.tolist(), gap) for keys, gap in gaps], min(request.k, len(pool)))

        def because(room: int, taken: int) -> str:
            for keys, kind in ((streamers, "streamer"), (categories, "category")):
                same = np.flatnonzero(keys[chosen[:taken]] == keys[room])
                if len(same) and keys[room]:
                    return f"same {kind} as place {same[-1] + 1}"
            return "others moved up"

        return Order(pool[chosen], lambda: moves(pool, chosen, because))


def _choose(gaps: Sequence[tuple[list[int], int]], count: int) -> list[int]:
    """The chosen rooms as indices in the pool. Usually one of the next few fits, so that no array pays here.

    Args:
        gaps: Keys of the pool's rooms, [n], and the gap that equal keys keep.
        count: Rooms to choose.
    """
    waiting = list(range(len(gaps[0][0])))
    free_at: list[dict[int, int]] = [{} for _ in gaps]
    chosen: list[int] = []
    for place in range(count):
        fitting = (
            room
            for room in waiting
            if all(free.get(keys[room], 0) <= place for free, (keys, _) in zip(free_at, gaps, strict=True))
        )
        room = next(fitting, waiting[0])
        waiting.remove(room)
        chosen.append(room)
        for free, (keys, gap) in zip(free_at, gaps, strict=True):
            if keys[room]:
                free[keys[room]] = place + gap
    return chosen
