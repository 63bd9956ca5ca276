"""DIN: the part of a viewer's history that has to do with the candidate.

Zhou et al., "Deep Interest Network for Click-Through Rate Prediction" (KDD 2018, arXiv:1706.06978). With a learnt
activation unit a over candidate c and steps s_j of the watched sequence, whose columns are who and what was watched,
for how long (dwell) and how long ago (age):

    v(c) = Σ_j a(s_j, c)·s_j,    y = W·φ(concat(u, c, v(c))) + b       (equation 3 and figure 2)

φ is a tower with Dice (equation 9). We depart in two things: the tower ends in the raw outputs of all heads, and it
also reads the product of viewer and candidate, as the other rankers do. `attention = "mean"` is the paper's base model:
the same net, whose v is the mean of the steps, whatever the candidate.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import tensorflow as tf

from training.layers.blueprint import Blueprint
from training.layers.dice import Dice, DiceTower
from training.layers.pooling import mean_of_real
from training.layers.target_attention import TargetAttention
from training.layers.towers import HeadTower, JointDense
from training.models.ranking.base import Ranker

_ATTENTIONS = ("target", "mean")


@dataclass(frozen=True, slots=True)
class DinOptions:
    """Sizes of DIN.

    Attributes:
        attention: "target" = weighed by the candidate, "mean" = the mean of the steps.
        size: Numbers that candidates and steps are projected to before they are compared.
        unit: Units of the activation unit's layers; one of 36 as in the paper's figure 2.
        tower: Units of the tower's layers; the first joins user and candidate.
        match: Numbers of the product of viewer and candidate.

    Raises:
        ValueError: There is no such attention.
    """

    attention: str = "target"
    size: int = 16
    unit: tuple[int, ...] = (36,)
    tower: tuple[int, ...] = (200, 80)
    match: int = 32

    def __post_init__(self) -> None:
        if self.attention not in _ATTENTIONS:
            raise ValueError(f"attention: expected one of {list(_ATTENTIONS)}, received {self.attention!r}")


class Din(Ranker):
    """Any heads, whatever the data have labels of; the data must have a watched sequence."""

    Options = DinOptions

    def __init__(self, blueprint: Blueprint, options: DinOptions) -> None:
        super().__init__(blueprint, options.match)
        targeted = options.attention == "target"
        self.attention = TargetAttention(options.size, options.unit) if targeted else None
        self.first = JointDense(options.tower[0])
        self.dice = Dice(options.tower[0])
        self.rest = DiceTower(options.tower[1:])
        self.output_layer = HeadTower((), self.priors)

    def raw(
        self, tensors: Mapping[str, tf.Tensor], slate: tf.Tensor | None = None, step: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Packed tensors → the raw outputs [N, outputs]; `step` is the training step, None outside training."""
        training = step is not None
        user, history = self.user_inputs.plain(tensors, step), self.user_inputs.steps(tensors, step)
        candidate = self.candidate_inputs(tensors, step)
        matched = tf.concat([candidate, self.match(user, candidate, slate)], axis=-1)
        if self.attention:
            matched = tf.concat([matched, self.attention(candidate, history, slate, training)], axis=-1)
        else:
            user = tf.concat([user, mean_of_real(*history)], axis=-1)
        joined = self.dice(self.first(user, matched, slate), training)
        return self.output_layer(self.rest(joined, training))
