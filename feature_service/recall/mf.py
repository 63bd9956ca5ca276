"""The channel `mf`: rooms on air of the streamers whom matrix factorisation predicts for the user's history."""

from typing import ClassVar

from feature_service.recall.nearest import Nearest
from feature_service.stages import Recalled, Request, World


class Mf(Nearest):
    """Vectors of streamers, and of users by what they watched.

    A streamer whom the model does not know has a vector of zeros, and so has a user without a history. Both score 0,
    and what scores no more than that is not found.
    """

    name: ClassVar[str] = "mf"

    async def recall(self, request: Request, world: World, limit: int) -> Recalled:
        """At most `limit` rooms that score above 0, best first; none while the model does not serve."""
        found = await super().recall(request, world, limit)
        count = int((found.scores > 0).sum())
        return Recalled(self.name, found.rows[:count], found.scores[:count])
