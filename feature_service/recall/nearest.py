"""What channels of vector models have in common: rooms on air whose vectors are nearest to the user's."""

from typing import ClassVar

from feature_service.models import VECTOR
from feature_service.recall.asking import Asking
from feature_service.recall.found import nothing
from feature_service.stages import Recalled, Request, World
from serving import contract


class Nearest:
    """The inner product of the user's and the room's vector, over all rooms on air.

    Attributes:
        name: Name of the channel and of its served model.
    """

    name: ClassVar[str]
    waits: ClassVar[bool] = True
    signatures: ClassVar[tuple[str, ...]] = (contract.USER, contract.ROOM)

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    async def recall(self, request: Request, world: World, limit: int) -> Recalled:
        """At most `limit` rooms, best first; none while the model does not serve.

        Raises:
            ServingError: The model server failed, was late, or answered with another shape.
        """
        index = world.indexes.get(self.name)
        if index is None:
            return nothing(self.name)
        answer = await self._asking.about_user(world.models[self.name], contract.USER, (VECTOR,), request, world)
        rows, scores = index.search(answer[VECTOR], limit)
        return Recalled(self.name, rows, scores)
