"""The channel `two_tower`: rooms on air whose vectors are nearest to the user's."""

from typing import ClassVar

from feature_service.recall.nearest import Nearest


class TwoTower(Nearest):
    """Vectors of the user's and the room's features: it knows rooms and streamers from their first second."""

    name: ClassVar[str] = "two_tower"
