"""DNN: a tower over viewer and candidate, which all heads share, and a tower a head.

With several heads this is hard parameter sharing, the shared bottom of Caruana, "Multitask Learning" (Machine Learning
28, 1997); with one it is a plain net for that task:

    y_k = h_k(f(x))

x holds viewer, candidate and their product, as for the other rankers of towers.
"""

from dataclasses import dataclass

import tensorflow as tf

from training.layers.blueprint import Blueprint
from training.layers.towers import HeadTower, JointTower
from training.models.ranking.base import Ranker


@dataclass(frozen=True, slots=True)
class DnnOptions:
    """Sizes of DNN.

    Attributes:
        bottom: Units of the shared layers; the first joins user and candidate.
        tower: Units of each head's layers.
        match: Numbers of the product of viewer and candidate.
    """

    bottom: tuple[int, ...] = (128, 64)
    tower: tuple[int, ...] = (32,)
    match: int = 32


class Dnn(Ranker):
    """Any heads over one bottom."""

    Options = DnnOptions

    def __init__(self, blueprint: Blueprint, options: DnnOptions) -> None:
        super().__init__(blueprint, options.match)
        self.bottom = JointTower(options.bottom)
        self.towers = [HeadTower(options.tower, blueprint.fitted.priors[head]) for head in self.layout.heads]

    def head_outputs(self, user: tf.Tensor, candidate: tf.Tensor, slate: tf.Tensor | None) -> tf.Tensor:
        """Each head's raw outputs, float32 [N, outputs]."""
        shared = self.bottom(user, candidate, slate)
        return tf.concat([tower(shared) for tower in self.towers], axis=-1)
