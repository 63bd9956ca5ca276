"""PLE: experts of each head's own beside shared ones, in levels, so that heads disturb each other less.

Tang et al., "Progressive Layered Extraction (PLE): A Novel Multi-Task Learning Model for Personalized Recommendations"
(RecSys 2020). Level j mixes, for each head k, the head's own experts and the shared ones:

    g_k,j = softmax(W_k,j g_k,j−1) · S_k,j(g_k,j−1, g_s,j−1),    y_k = t_k(g_k,last)

where S_k,j are the opinions of head k's experts on g_k,j−1 and of the shared experts on g_s,j−1, and g_0 is the input:
viewer, candidate and their product. See `training.layers.extraction`. Each head is learnt over the impressions that
have its label, as the paper's joint loss asks. We depart in the heads' weights, which do not change over the steps.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import tensorflow as tf
import tf_keras as keras

from training.layers.blueprint import Blueprint
from training.layers.extraction import Extraction
from training.layers.towers import HeadTower, JointDense, JointTower, Tower
from training.models.ranking.base import Ranker


@dataclass(frozen=True, slots=True)
class PleOptions:
    """Sizes of PLE.

    Attributes:
        own: Experts of each head and level.
        shared: Experts of all heads a level.
        levels: Units of each level's experts, which have one layer; the first joins user and candidate.
        tower: Units of each head's layers.
        match: Numbers of the product of viewer and candidate.
    """

    own: int = 1
    shared: int = 1
    levels: tuple[int, ...] = (64, 64)
    tower: tuple[int, ...] = (32,)
    match: int = 32


class Ple(Ranker):
    """Any heads, whatever the data have labels of."""

    Options = PleOptions

    def __init__(self, blueprint: Blueprint, options: PleOptions) -> None:
        super().__init__(blueprint, options.match)
        heads = self.layout.heads
        self.levels = [
            Extraction(
                tasks=len(heads),
                own=options.own,
                shared=options.shared,
                expert=partial(Tower if level else JointTower, (units,)),
                gate=keras.layers.Dense if level else JointDense,
                last=level == len(options.levels) - 1,
            )
            for level, units in enumerate(options.levels)
        ]
        self.towers = [HeadTower(options.tower, blueprint.fitted.priors[head]) for head in heads]

    def head_outputs(self, user: tf.Tensor, candidate: tf.Tensor, slate: tf.Tensor | None) -> tf.Tensor:
        """Each head's raw outputs, float32 [N, outputs]."""
        inputs: list[tuple[Any, ...]] = [(user, candidate, slate)] * (len(self.towers) + 1)
        for level in self.levels:
            inputs = [(rows,) for rows in level(inputs)]
        return tf.concat([tower(rows) for tower, (rows,) in zip(self.towers, inputs, strict=True)], axis=-1)
