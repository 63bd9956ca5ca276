"""Extraction: experts of each task's own beside shared ones, mixed by gates, in levels."""

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import tensorflow as tf
import tf_keras as keras


class Extraction(keras.layers.Layer):
    """One level of progressive layered extraction: customised gate control.

    Tang et al., "Progressive Layered Extraction (PLE): A Novel Multi-Task Learning Model for Personalized
    Recommendations" (RecSys 2020), sections "Customized Gate Control" and "Progressive Layered Extraction":

        g_k(x_k) = Σ_i softmax(W_k x_k)_i · S_k,i

    where S_k are the opinions of task k's own experts, which read x_k, and of the shared experts, which read x_s. The
    shared gate mixes the opinions of all experts; the last level has none, as no one reads it.

    Args:
        tasks: How many.
        own: Experts of each task.
        shared: Experts of all.
        expert: Makes an expert: rows → float32 [N, D].
        gate: Makes a gate with so many outputs: rows → float32 [N, outputs].
        last: Whether this is the last level.
    """

    def __init__(
        self,
        *,
        tasks: int,
        own: int,
        shared: int,
        expert: Callable[[], keras.layers.Layer],
        gate: Callable[[int], keras.layers.Layer],
        last: bool,
    ) -> None:
        super().__init__()
        self.experts = [[expert() for _ in range(own)] for _ in range(tasks)]
        self.shared_experts = [expert() for _ in range(shared)]
        self.gates = [gate(own + shared) for _ in range(tasks)]
        self.shared_gate = None if last else gate(tasks * own + shared)

    def call(self, inputs: Sequence[Sequence[Any]]) -> list[tf.Tensor]:
        """What each task goes on with.

        Args:
            inputs: The arguments of each task's experts and gate, then those of the shared ones.

        Returns:
            float32 [N, D] a task, then, unless this is the last level, of the shared gate.
        """
        *tasks, common = inputs
        shared = [expert(*common) for expert in self.shared_experts]
        own = [[expert(*rows) for expert in experts] for experts, rows in zip(self.experts, tasks, strict=True)]
        mixed = [_mixed([*mine, *shared], gate(*rows)) for mine, gate, rows in zip(own, self.gates, tasks, strict=True)]
        if self.shared_gate is not None:
            mixed.append(_mixed([*chain.from_iterable(own), *shared], self.shared_gate(*common)))
        return mixed


def _mixed(opinions: list[tf.Tensor], scores: tf.Tensor) -> tf.Tensor:
    """Opinions [N, D] of E experts weighed by the softmax of scores [N, E] → float32 [N, D]."""
    weights = tf.nn.softmax(scores, axis=-1)[:, tf.newaxis, :]
    return tf.squeeze(tf.matmul(weights, tf.stack(opinions, axis=1)), axis=1)
