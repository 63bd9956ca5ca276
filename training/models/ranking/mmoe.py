"""MMoE: a gate a head over shared experts.

Ma et al., "Modeling Task Relationships in Multi-task Learning with Multi-gate Mixture-of-Experts" (KDD 2018):

    y_k = h_k(Σ_i softmax(W_k x)_i · e_i(x))       (equations 6–7)

Experts and gates read viewer, candidate and their product; each head has a tower of its own.
"""

from dataclasses import dataclass

import tensorflow as tf

from training.layers.blueprint import Blueprint
from training.layers.experts import MixtureOfExperts
from training.layers.towers import HeadTower
from training.models.ranking.base import Ranker


@dataclass(frozen=True, slots=True)
class MmoeOptions:
    """Sizes of MMoE.

    Attributes:
        experts: How many.
        expert: Units of each expert's layers; the first joins user and candidate.
        tower: Units of each head's layers.
        match: Numbers of the product of viewer and candidate.
    """

    experts: int = 3
    expert: tuple[int, ...] = (128, 64)
    tower: tuple[int, ...] = (32,)
    match: int = 32


class Mmoe(Ranker):
    """Any heads, whatever the data have labels of."""

    Options = MmoeOptions

    def __init__(self, blueprint: Blueprint, options: MmoeOptions) -> None:
        super().__init__(blueprint, options.match)
        heads = self.layout.heads
        self.mixture = MixtureOfExperts(experts=options.experts, sizes=options.expert, tasks=len(heads))
        self.towers = [HeadTower(options.tower, blueprint.fitted.priors[head]) for head in heads]

    def head_outputs(self, user: tf.Tensor, candidate: tf.Tensor, slate: tf.Tensor | None) -> tf.Tensor:
        """Each head's raw output, float32 [N, heads]."""
        mixed = tf.unstack(self.mixture(user, candidate, slate), num=len(self.towers), axis=1)
        return tf.concat([tower(rows) for tower, rows in zip(self.towers, mixed, strict=True)], axis=-1)
