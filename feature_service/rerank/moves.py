"""What a re-ranker tells of its moves, in a few words for people."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from feature_service.stages import Ranked

Because = Callable[[int, int], str]
"""Why the pool's room (first) came only after `second` rooms were chosen."""


def pool_of(ranked: Ranked, places: NDArray[np.intp], k: int) -> NDArray[np.intp]:
    """The places that a re-ranker chooses from: enough to fill a slate otherwise, and no more, for it costs time.

    Args:
        ranked: The ranked candidates; one whose score is not finite stands last and is not lifted from there.
        places: All places, [n].
        k: Length of the slate.
    """
    head = places[: max(3 * k, 60)]
    return head[np.isfinite(ranked.scores[head])]


def moves(places: NDArray[np.intp], chosen: list[int], because: Because) -> dict[int, str]:
    """Names the rooms that moved within the slate, into it or out of it.

    Args:
        places: The places before, [n].
        chosen: What was chosen, as indices in `places`, in the new order; the others follow in the old one.
        because: The cause of a move down.

    Returns:
        A few words by place, such as "down 3: same category as place 2" (places of the slate count from 1).
    """
    told: dict[int, str] = {}
    for after, before in enumerate(chosen):
        if after < before:
            told[int(places[before])] = f"up {before - after}"
        elif after > before:
            told[int(places[before])] = f"down {after - before}: {because(before, after)}"
    left = sorted(set(range(len(chosen))) - set(chosen))
    for after, before in enumerate(left, start=len(chosen)):
        told[int(places[before])] = f"down {after - before}: {because(before, len(chosen))}"
    return told
