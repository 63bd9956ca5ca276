"""Wide & Deep: a linear model with crosses beside a tower, trained together.

Cheng et al., "Wide & Deep Learning for Recommender Systems" (DLRS 2016, arXiv:1606.07792), equation 3:

    p = σ(wᵀ [x, φ(x)] + w_deepᵀ a + b)

with φ the hashed crosses of a user's and a candidate's id (equation 1) and a the last layer of a tower over all
embeddings and numbers. The paper fits the wide part by FTRL with L1 and the deep part by AdaGrad; here the run's one
optimiser fits both, and `inputs.embedding_l2` holds the crosses back.
"""

from dataclasses import dataclass

import tensorflow as tf
import tf_keras as keras

from training.layers.blueprint import Blueprint
from training.layers.fields import Fields
from training.layers.towers import JointTower
from training.models.ranking.fields import FieldRanker


@dataclass(frozen=True, slots=True)
class WideDeepOptions:
    """Sizes of Wide & Deep.

    Attributes:
        tower: Units of the deep part's layers; the first joins user and candidate.
        crosses: Names of a user's and a candidate's id feature, whose pairs have a weight of their own.
        buckets: Rows that the pairs of a cross are hashed into.
    """

    tower: tuple[int, ...] = (128, 64)
    crosses: tuple[tuple[str, str], ...] = ()
    buckets: int = 65_536


class WideDeep(FieldRanker):
    """The linear part with its crosses, and a tower."""

    Options = WideDeepOptions

    def __init__(self, blueprint: Blueprint, options: WideDeepOptions) -> None:
        factors = blueprint.sizes.embedding
        super().__init__(blueprint, factors=factors, crosses=options.crosses, buckets=options.buckets)
        self.tower = JointTower(options.tower)
        self.deep = keras.layers.Dense(len(self.priors), use_bias=False)

    def interactions(self, user: Fields, candidate: Fields, slate: tf.Tensor | None) -> tf.Tensor:
        """What the deep part says, float32 [N, outputs]."""
        return self.deep(self.tower(user.row, candidate.row, slate))
