"""The channel `item_cf`: rooms on air of streamers whom those watch that watch the user's streamers."""

from typing import ClassVar

from feature_service.models import BECAUSE, SCORE, STREAMER
from feature_service.recall.asking import Asking
from feature_service.recall.found import nothing
from feature_service.stages import Recalled, Request, World
from serving import contract

NAME = "item_cf"


class ItemCf:
    """The neighbours of the streamers watched last, by the served table; each names the watched one that brought it."""

    waits: ClassVar[bool] = True
    signatures: ClassVar[tuple[str, ...]] = (contract.SERVING_DEFAULT, contract.SIMILAR)

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    async def recall(self, request: Request, world: World, limit: int) -> Recalled:
        """At most `limit` rooms in the model's order; none for a user without a history, or while it does not serve.

        Raises:
            ServingError: The model server failed, was late, or answered with other shapes.
        """
        model = world.models.get(NAME)
        if model is None:
            return nothing(NAME)
        outputs = (STREAMER, SCORE, BECAUSE)
        answer = await self._asking.about_user(model, contract.SERVING_DEFAULT, outputs, request, world)
        rows = world.live.rows_of_streamers(answer[STREAMER], request.now_ms)
        on_air = rows.nonzero()[0][:limit]  # The padding, streamer 0, has no room.
        return Recalled(NAME, rows[on_air], answer[SCORE][on_air], answer[BECAUSE][on_air])
