"""Trained recall models by name. A new one is a file here and a line below."""

from training.models.recall.two_tower import TwoTower

__all__ = ["RECALL", "TwoTower"]

RECALL: dict[str, type[TwoTower]] = {
    "two_tower": TwoTower,
}
