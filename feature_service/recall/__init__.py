"""Recall channels, one file each; a new channel is its file and one line here."""

from collections.abc import Callable
from dataclasses import dataclass

from feature_service.recall.followed import Followed
from feature_service.recall.fresh import Fresh
from feature_service.recall.hot import Hot
from feature_service.recall.two_tower import TwoTower, UserVector
from feature_service.recall.watched import Watched
from feature_service.stages import Channel


@dataclass(frozen=True, slots=True)
class Resources:
    """What channels may need beyond the request and the state.

    Attributes:
        user_vector: The served user tower.
    """

    user_vector: UserVector


CHANNELS: dict[str, Callable[[Resources], Channel]] = {
    "followed": lambda _: Followed(),
    "watched": lambda _: Watched(),
    "two_tower": lambda resources: TwoTower(resources.user_vector),
    "hot": lambda _: Hot(),
    "fresh": lambda _: Fresh(),
}
"""The channels by the names that scenes give quotas to. Some keep a ranking, so a service makes each once."""
