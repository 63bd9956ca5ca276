"""FM: factorisation machine.

Rendle, "Factorization Machines" (ICDM 2010), equations 1 and 5:

    raw = b + Σ_j w_j x_j + Σ_{i<j} ⟨v_i, v_j⟩ x_i x_j

with `inputs.embedding` numbers a vector. The features are those of `lr`; of several keys and of the history, the mean
of the vectors stands for one feature. Several raw outputs share the vectors, each weighs the k products for itself; a
model of one binary head whose weights are 1, as they start, is the paper's. See `training.layers.factorisation`.
"""

from dataclasses import dataclass

import tensorflow as tf

from training.layers.blueprint import Blueprint
from training.layers.factorisation import FactorisationMachine
from training.layers.fields import Fields
from training.models.ranking.fields import FieldRanker


@dataclass(frozen=True, slots=True)
class FmOptions:
    """FM has no options: `inputs.embedding` is the length of its vectors."""


class Fm(FieldRanker):
    """The linear part and the products of all pairs."""

    Options = FmOptions

    def __init__(self, blueprint: Blueprint, options: FmOptions) -> None:  # noqa: ARG002 - there are none.
        super().__init__(blueprint, factors=blueprint.sizes.embedding)
        self.machine = FactorisationMachine(self.factors, len(self.priors))

    def interactions(self, user: Fields, candidate: Fields, slate: tf.Tensor | None) -> tf.Tensor:
        """The products, float32 [N, outputs]."""
        return self.machine(user, candidate, slate)
