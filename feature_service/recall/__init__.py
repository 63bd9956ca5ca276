"""Recall channels, one file each; a new channel is its file and one line here."""

from collections.abc import Callable

from feature_service.recall.asking import Asking
from feature_service.recall.followed import Followed
from feature_service.recall.fresh import Fresh
from feature_service.recall.hot import Hot
from feature_service.recall.item_cf import ItemCf
from feature_service.recall.mf import Mf
from feature_service.recall.neumf import NeuMf
from feature_service.recall.two_tower import TwoTower
from feature_service.recall.watched import Watched
from feature_service.stages import Channel, Scorer

CHANNELS: dict[str, Callable[[Asking], Channel | Scorer]] = {
    "followed": lambda _: Followed(),
    "watched": lambda _: Watched(),
    "two_tower": TwoTower,
    "item_cf": ItemCf,
    "mf": Mf,
    "neumf": NeuMf,
    "hot": lambda _: Hot(),
    "fresh": lambda _: Fresh(),
}
"""The channels by the names that scenes give quotas to. Some keep a ranking, so a service makes each once."""
