"""Models: wiring of layers and losses, paper on top. `MODELS` holds them all by name."""

from collections.abc import Mapping
from types import MappingProxyType

from training.models.ranking import RANKERS, Ranker
from training.models.recall import RECALL, LearntRecall, SolvedRecall

MODELS: Mapping[str, type[Ranker] | type[LearntRecall] | type[SolvedRecall]] = MappingProxyType({**RANKERS, **RECALL})
"""Every trainable model by the name that a run's configuration gives."""
