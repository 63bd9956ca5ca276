"""The channel `neumf`: rooms on air in the order of a served network that scores pairs of a user and a streamer."""

from collections.abc import Awaitable, Mapping, Sequence
from typing import ClassVar

import numpy as np

from feature_service.live.table import Rows
from feature_service.models import SCORE
from feature_service.recall.asking import Asking
from feature_service.recall.found import best, nothing
from feature_service.stages import Recalled, Request, World
from serving import contract

NAME = "neumf"

FEW = 1_000
"""So many rooms on air are all scored, without waiting for the other channels: 8 kB, and about a millisecond there."""

REACH = 2
"""Of more rooms on air: how many times its quota is scored of what each other channel found."""


class NeuMf:
    """Scores of pairs (He et al. 2017): no vectors, and so no index that finds the best of all rooms."""

    waits: ClassVar[bool] = True
    signatures: ClassVar[tuple[str, ...]] = (contract.SERVING_DEFAULT,)

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    async def score(
        self, request: Request, world: World, others: Awaitable[Sequence[Recalled]], limit: int
    ) -> Recalled:
        """At most `limit` rooms, best first; none while the model does not serve.

        Raises:
            ServingError: The model server failed, was late, or answered with another shape.
        """
        model = world.models.get(NAME)
        if model is None:
            return nothing(NAME)
        rows = world.live.rows(request.now_ms)
        if len(rows) > FEW:
            rows = _shortlist(await others, request.scene.channels)
        if not len(rows):
            return nothing(NAME)
        scores = await self._asking.about_rooms(model, contract.SERVING_DEFAULT, SCORE, request, world, rows)
        finite = np.isfinite(scores)
        return best(NAME, rows[finite], scores[finite], limit)


def _shortlist(others: Sequence[Recalled], quotas: Mapping[str, int]) -> Rows:
    """Each room once, ascending, that stands high enough in a channel; a table over the rows is faster than to sort."""
    heads = [each.rows[: REACH * quotas[each.channel]] for each in others]
    listed = np.zeros(1 + max((int(head.max(initial=0)) for head in heads), default=0), np.bool_)
    for head in heads:
        listed[head] = True
    return listed.nonzero()[0]
