"""Rankers by name. A new one is a file here and a line below."""

from training.models.ranking.base import Ranker
from training.models.ranking.deepfm import DeepFm
from training.models.ranking.din import Din
from training.models.ranking.dnn import Dnn
from training.models.ranking.escm2 import Escm2
from training.models.ranking.esmm import Esmm
from training.models.ranking.fm import Fm
from training.models.ranking.gbdt_lr import GbdtLr
from training.models.ranking.lr import Lr
from training.models.ranking.mmoe import Mmoe
from training.models.ranking.ple import Ple
from training.models.ranking.wide_deep import WideDeep

__all__ = ["RANKERS", "Ranker"]

RANKERS: dict[str, type[Ranker]] = {
    "deepfm": DeepFm,
    "din": Din,
    "dnn": Dnn,
    "escm2": Escm2,
    "esmm": Esmm,
    "fm": Fm,
    "gbdt_lr": GbdtLr,
    "lr": Lr,
    "mmoe": Mmoe,
    "ple": Ple,
    "wide_deep": WideDeep,
}
