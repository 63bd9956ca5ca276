"""The re-ranker `dpp`: a slate that is relevant and diverse, by a determinantal point process.

Chen, Zhang and Zhou, "Fast Greedy MAP Inference for Determinantal Point Process to Improve Recommendation Diversity"
(NeurIPS 2018): choose again and again the room that adds most to log det of the kernel of the chosen ones,

    L = Diag(exp(α r)) · S · Diag(exp(α r)),   α = θ / (2 (1 − θ)),   gain of i = 2 α r_i + log d_i²,

where S says how alike two rooms are and d_i² is what of room i the chosen ones do not explain. Relevance r is the
fusion's score, scaled to 0 to 1 over the pool; θ is `Scene.diversity`, as λ of `mmr`. Only the last
`Scene.diversity_window` chosen rooms explain, as in the paper's section 4.2.
"""

import numpy as np
from numpy.typing import NDArray

from feature_service.rerank.moves import moves, pool_of
from feature_service.rerank.relevance import relevance
from feature_service.rerank.similarity import similarity
from feature_service.stages import Order, Ranked, Request, World

JITTER = 1e-3
"""Added to the diagonal of S: two rooms of one streamer are the same, and its determinant would be 0."""

MOST_DIVERSITY = 0.999
"""θ is at most this: at 1 relevance alone would count, with an endless weight."""


class DeterminantalPointProcess:
    """Chooses a slate from the head of the ranked list."""

    def order(self, request: Request, world: World, ranked: Ranked, places: NDArray[np.intp]) -> Order:
        """The slate's k places first; rooms whose score is not finite are not touched."""
        pool = pool_of(ranked, places, request.k)
        if not len(pool):
            return Order(pool)
        alike = similarity(world.state, ranked.candidates.rows[pool])
        likeness = alike.matrix()
        theta = min(request.scene.diversity, MOST_DIVERSITY)
        chosen = _choose(
            theta / (1 - theta) * relevance(ranked.scores[pool]),
            likeness.astype(np.float64),
            count=min(request.k, len(pool)),
            window=max(request.scene.diversity_window, 1),
        )

        def because(room: int, taken: int) -> str:
            like = int(likeness[room, chosen[:taken]].argmax())
            return f"{alike.word(room, chosen[like])} as place {like + 1}"

        return Order(pool[chosen], lambda: moves(pool, chosen, because))


def _choose(quality: NDArray[np.float64], likeness: NDArray[np.float64], *, count: int, window: int) -> list[int]:
    """Chooses rooms; of equal ones the first.

    Args:
        quality: 2 α r, float64 [n].
        likeness: S, float64 [n, n], its diagonal 1 where a room is like itself.
        count: Rooms to choose.
        window: How many of the rooms chosen last explain others.

    Returns:
        The chosen rooms as indices in the pool.
    """
    kernel = likeness.copy()
    np.fill_diagonal(kernel, 1.0 + JITTER)
    left = quality.copy()
    chosen: list[int] = []
    for _ in range(count):
        lately = chosen[-window:]
        across = kernel[lately]
        explained = np.einsum("wn,wn->n", across, np.linalg.solve(kernel[np.ix_(lately, lately)], across))
        best = int((left + np.log(np.maximum(1.0 + JITTER - explained, JITTER**2))).argmax())
        chosen.append(best)
        left[best] = -np.inf
    return chosen
