"""DeepFM: a factorisation machine and a tower over the same embeddings.

Guo et al., "DeepFM: A Factorization-Machine based Neural Network for CTR Prediction" (IJCAI 2017, arXiv:1703.04247),
equations 1 to 4:

    p = σ(y_FM + y_DNN),    y_FM = ⟨w, x⟩ + Σ_{i<j} ⟨v_i, v_j⟩ x_i x_j

The tower reads the vectors v of the ids, and numbers as they are. As in `fm`, several raw outputs share vectors and
tower, each with weights of its own.
"""

from dataclasses import dataclass

import tensorflow as tf
import tf_keras as keras

from training.layers.blueprint import Blueprint
from training.layers.factorisation import FactorisationMachine
from training.layers.fields import Fields
from training.layers.towers import JointTower
from training.models.ranking.fields import FieldRanker


@dataclass(frozen=True, slots=True)
class DeepFmOptions:
    """Sizes of DeepFM; `inputs.embedding` is the length of the vectors.

    Attributes:
        tower: Units of the tower's layers; the first joins user and candidate.
    """

    tower: tuple[int, ...] = (128, 64)


class DeepFm(FieldRanker):
    """The linear part, the products of all pairs, and a tower."""

    Options = DeepFmOptions

    def __init__(self, blueprint: Blueprint, options: DeepFmOptions) -> None:
        super().__init__(blueprint, factors=blueprint.sizes.embedding)
        self.machine = FactorisationMachine(self.factors, len(self.priors))
        self.tower = JointTower(options.tower)
        self.deep = keras.layers.Dense(len(self.priors), use_bias=False)

    def interactions(self, user: Fields, candidate: Fields, slate: tf.Tensor | None) -> tf.Tensor:
        """y_DNN and the products of y_FM, float32 [N, outputs]."""
        return self.machine(user, candidate, slate) + self.deep(self.tower(user.row, candidate.row, slate))
