"""Re-rankers, one file each; a new one is its file and one line here."""

from collections.abc import Callable

from feature_service.rerank.dpp import DeterminantalPointProcess
from feature_service.rerank.explore import Explore
from feature_service.rerank.mmr import MaximalMarginalRelevance
from feature_service.rerank.spacing import Spacing
from feature_service.stages import ReRanker

RERANKERS: dict[str, Callable[[], ReRanker]] = {
    "mmr": MaximalMarginalRelevance,
    "dpp": DeterminantalPointProcess,
    "spacing": Spacing,
    "explore": Explore,
}
"""The re-rankers by the names that scenes list."""
