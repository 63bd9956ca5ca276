"""Rankers by name. A new one is a file here and a line below."""

from training.models.ranking.base import Ranker
from training.models.ranking.esmm import Esmm
from training.models.ranking.mmoe import Mmoe

__all__ = ["RANKERS", "Ranker"]

RANKERS: dict[str, type[Ranker]] = {
    "esmm": Esmm,
    "mmoe": Mmoe,
}
