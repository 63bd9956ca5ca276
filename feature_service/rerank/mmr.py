"""The re-ranker `mmr`: a slate that is relevant and diverse, by Maximal Marginal Relevance.

Carbonell and Goldstein, SIGIR 1998: choose again and again the room with the greatest

    λ · relevance − (1 − λ) · max over the rooms chosen so far of similarity.

Here relevance is the fusion's score, scaled to 0 to 1 over the pool, and the maximum goes over the last
`Scene.diversity_window` chosen rooms only, for what a viewer has scrolled past is no repetition any more.
"""

import numpy as np
from numpy.typing import NDArray

from feature_service.rerank.moves import moves, pool_of
from feature_service.rerank.relevance import relevance
from feature_service.rerank.similarity import similarity
from feature_service.stages import Order, Ranked, Request, World


class MaximalMarginalRelevance:
    """Chooses a slate from the head of the ranked list; λ is `Scene.diversity`."""

    def order(self, request: Request, world: World, ranked: Ranked, places: NDArray[np.intp]) -> Order:
        """The slate's k places first; rooms whose score is not finite are not touched."""
        pool = pool_of(ranked, places, request.k)
        if not len(pool):
            return Order(pool)
        alike = similarity(world.state, ranked.candidates.rows[pool])
        likeness = alike.matrix()
        chosen = _choose(
            relevance(ranked.scores[pool]),
            likeness,
            count=min(request.k, len(pool)),
            balance=request.scene.diversity,
            window=max(request.scene.diversity_window, 1),
        )

        def because(room: int, taken: int) -> str:
            like = int(likeness[room, chosen[:taken]].argmax())
            return f"{alike.word(room, chosen[like])} as place {like + 1}"

        return Order(pool[chosen], lambda: moves(pool, chosen, because))


def _choose(
    relevant: NDArray[np.float64], likeness: NDArray[np.float32], *, count: int, balance: float, window: int
) -> list[int]:
    """Chooses rooms; of equal ones the first.

    Args:
        relevant: How relevant they are, float64 [n], 0 to 1.
        likeness: How alike the rooms are, float32 [n, n].
        count: Rooms to choose.
        balance: λ, 0 to 1.
        window: How many of the rooms chosen last count.

    Returns:
        The chosen rooms as indices in the pool.
    """
    gain, penalty = balance * relevant, (1 - balance) * likeness
    worst = np.zeros(len(gain), penalty.dtype)  # The penalty by the rooms in the window.
    chosen: list[int] = []
    for _ in range(count):
        if chosen:
            np.maximum.reduce(penalty.take(chosen[-window:], axis=0), axis=0, out=worst)
        best = int((gain - worst).argmax())
        chosen.append(best)
        gain[best] = -np.inf
    return chosen
