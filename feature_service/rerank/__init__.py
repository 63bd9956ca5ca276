"""Re-rankers, one file each; a new one is its file and one line here."""

from collections.abc import Callable

from feature_service.rerank.mmr import MaximalMarginalRelevance
from feature_service.rerank.spacing import Spacing
from feature_service.stages import ReRanker

RERANKERS: dict[str, Callable[[], ReRanker]] = {"mmr": MaximalMarginalRelevance, "spacing": Spacing}
"""The re-rankers by the names that scenes list."""
