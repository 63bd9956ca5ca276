"""Trained recall models by name. A new one is a file here and a line below."""

from training.models.recall.base import LearntRecall, SolvedRecall
from training.models.recall.item_cf import ItemCf
from training.models.recall.mf import MatrixFactorisation
from training.models.recall.neumf import NeuMF
from training.models.recall.two_tower import TwoTower

__all__ = ["RECALL", "ItemCf", "LearntRecall", "MatrixFactorisation", "NeuMF", "SolvedRecall", "TwoTower"]

RECALL: dict[str, type[LearntRecall] | type[SolvedRecall]] = {
    "item_cf": ItemCf,
    "mf": MatrixFactorisation,
    "neumf": NeuMF,
    "two_tower": TwoTower,
}
