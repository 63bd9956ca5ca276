"""Trained recall models by name. A new one is a file here and a line below."""

from training.models.recall.base import LearntRecall
from training.models.recall.neumf import NeuMF
from training.models.recall.two_tower import TwoTower

__all__ = ["RECALL", "LearntRecall", "NeuMF", "TwoTower"]

RECALL: dict[str, type[LearntRecall]] = {
    "neumf": NeuMF,
    "two_tower": TwoTower,
}
