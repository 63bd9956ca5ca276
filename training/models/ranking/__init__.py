"""Rankers by name. A new one is a file here and a line below."""

from training.models.ranking.base import Ranker
from training.models.ranking.din import Din
from training.models.ranking.escm2 import Escm2
from training.models.ranking.esmm import Esmm
from training.models.ranking.mmoe import Mmoe
from training.models.ranking.ple import Ple

__all__ = ["RANKERS", "Ranker"]

RANKERS: dict[str, type[Ranker]] = {
    "din": Din,
    "escm2": Escm2,
    "esmm": Esmm,
    "mmoe": Mmoe,
    "ple": Ple,
}
