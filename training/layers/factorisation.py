"""Factorisation: the products of all pairs of features, in time linear in their number."""

from typing import Any, NamedTuple

import tensorflow as tf
import tf_keras as keras

from training.layers.fields import Fields
from training.layers.towers import per_candidate


class FactorSums(NamedTuple):
    """What a side gives to the products of pairs, a_j = v_j x_j being the vector of a feature.

    Attributes:
        sums: Σ_j a_j, float32 [rows, k].
        pairs: Σ_{i<j} a_i ⊙ a_j over the pairs of this side, float32 [rows, k].
    """

    sums: tf.Tensor
    pairs: tf.Tensor


class SideFactors(keras.layers.Layer):
    """A vector v for each number of a side, and the sums over them and the vectors of its ids.

    Σ_{i<j} a_i ⊙ a_j = ½ ((Σ_j a_j)² − Σ_j a_j²), as in lemma 3.1 of Rendle (see `FactorisationMachine`). With x the
    numbers and V their vectors, Σ (v_j x_j)² = V² x²: no tensor has a row a number and item.
    """

    def __init__(self, factors: int) -> None:
        """Takes the length k of a vector."""
        super().__init__()
        small: Any = keras.initializers.RandomNormal(stddev=0.01)
        self.numbers = keras.layers.Dense(factors, use_bias=False, kernel_initializer=small)

    def call(self, fields: Fields) -> FactorSums:
        """`Fields` whose vectors have k numbers → the sums of each row."""
        sums = self.numbers(fields.numbers) + tf.reduce_sum(fields.vectors, axis=-2)
        squares = tf.matmul(fields.numbers**2, tf.convert_to_tensor(self.numbers.kernel) ** 2)
        squares += tf.reduce_sum(fields.vectors**2, axis=-2)
        return FactorSums(sums, 0.5 * (sums**2 - squares))


class FactorisationMachine(keras.layers.Layer):
    """The products of all pairs of features of viewer and candidate, weighed for each raw output.

    f = Σ_{i<j} a_i ⊙ a_j ∈ ℝᵏ over the features of both sides, y_o = Σ_d p_do f_d. The pairs split: those of the user
    alone are summed once a viewer, those of the candidate alone once a candidate, and the mixed ones are the product
    of the two sums.

        f = pairs(user) + pairs(candidate) + sums(user) ⊙ sums(candidate)

    With p = 1, as one output starts, y is the factorisation machine of Rendle, "Factorization Machines" (ICDM 2010),
    equations 1 and 5 without their linear part. The weights p let several outputs share the vectors, and start from
    N(0, 1); f is the bi-interaction of He and Chua, "Neural Factorization Machines" (SIGIR 2017), equations 3 and 4.
    """

    def __init__(self, factors: int, outputs: int) -> None:
        """Takes the length of a vector and the number of raw outputs."""
        super().__init__(name="factorisation")
        self.user, self.candidate = SideFactors(factors), SideFactors(factors)
        # Outputs that start with the same products hold each other back for many epochs.
        first = keras.initializers.RandomNormal(stddev=1.0) if outputs > 1 else keras.initializers.Ones()
        self.weights_of_outputs = self.add_weight("weights_of_outputs", (factors, outputs), initializer=first)

    def call(self, user: Fields, candidate: Fields, slate: tf.Tensor | None) -> tf.Tensor:
        """`Fields` of U and N rows, their vectors of k numbers, and int32 [N] or None → float32 [N, outputs]."""
        viewer, item = self.user(user), self.candidate(candidate)
        mixed = per_candidate(viewer.sums, slate) * item.sums
        return tf.matmul(per_candidate(viewer.pairs, slate) + item.pairs + mixed, self.weights_of_outputs)
