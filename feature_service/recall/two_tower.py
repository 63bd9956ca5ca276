"""The channel `two_tower`: rooms on air whose vectors are nearest to the user's."""

from collections.abc import Awaitable, Callable
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from feature_service.recall.found import nothing
from feature_service.stages import Recalled, Request, World

NAME = "two_tower"

UserVector = Callable[[Request, World], Awaitable[NDArray[np.float32]]]
"""Asks the served user tower for the user's vector, float32 [D], of the version that the index has."""


class TwoTower:
    """The inner product of the user's and the room's vector, over all rooms on air."""

    waits: ClassVar[bool] = True

    def __init__(self, user_vector: UserVector) -> None:
        self._user_vector = user_vector

    async def recall(self, request: Request, world: World, limit: int) -> Recalled:
        """At most `limit` rooms, best first; none while no two-tower model serves."""
        if world.index is None:
            return nothing(NAME)
        vector = await self._user_vector(request, world)
        rows, scores = world.index.search(vector, limit)
        return Recalled(NAME, rows, scores)
