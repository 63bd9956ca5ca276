"""Experts: several towers over the same input, mixed by a gate a task."""

from collections.abc import Sequence

import tensorflow as tf
import tf_keras as keras

from training.layers.towers import JointDense, JointTower


class MixtureOfExperts(keras.layers.Layer):
    """Multi-gate mixture of experts: f_k = Σ_i softmax(g_k)_i · e_i.

    Ma et al., "Modeling Task Relationships in Multi-task Learning with Multi-gate Mixture-of-Experts" (KDD 2018),
    equations 6–7. The gates are linear in the input, all of them in one product. No initialiser is given a seed of its
    own: one seed in several experts would make them the same for ever.
    """

    def __init__(self, *, experts: int, sizes: Sequence[int], tasks: int) -> None:
        super().__init__(name="mixture")
        self.experts = [JointTower(sizes) for _ in range(experts)]
        self.gates = JointDense(tasks * experts)
        self._shape = (-1, tasks, experts)

    def call(self, user: tf.Tensor, candidate: tf.Tensor, slate: tf.Tensor | None) -> tf.Tensor:
        """float32 [U, D_u], [N, D_c] and int32 [N] or None → float32 [N, tasks, sizes[-1]]."""
        opinions = tf.stack([expert(user, candidate, slate) for expert in self.experts], axis=1)
        gates = tf.nn.softmax(tf.reshape(self.gates(user, candidate, slate), self._shape), axis=-1)
        return tf.matmul(gates, opinions)
