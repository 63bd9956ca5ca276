"""What all rankers share: the two sides' inputs, a task a head, and the meaning of the predictions."""

from collections.abc import Mapping
from typing import Any, ClassVar

import tensorflow as tf
import tensorflow_recommenders as tfrs
import tf_keras as keras

from training import losses
from training.data.samples import Samples
from training.heads import HEADS
from training.layers.blueprint import Blueprint
from training.layers.crosses import Match
from training.layers.embeddings import Embeddings
from training.layers.inputs import SideInputs, UserInputs
from training.models.signatures import Signature

LONGEST_WATCH_S = 86_400.0
"""Predicted amounts are clipped to [0, this]: a day."""


class Ranker(tfrs.Model):
    """A multi-head ranker of candidates for one viewer.

    A subclass wires `head_outputs`. The user side is computed once a viewer: [1, ·] in serving, [U, ·] in training,
    where `slate` says which viewer each of the N candidates belongs to.

    Attributes:
        layout: The columns that the model reads, and its heads.
        requires: Heads without which the model cannot be built.
        batches_in_time: Whether the slates of a training batch are neighbours in time.
        Options: The dataclass of the table `[options]` of a run's configuration.
    """

    Options: ClassVar[type[Any]]
    requires: ClassVar[tuple[str, ...]] = ()
    batches_in_time: ClassVar[bool] = False

    def __init__(self, blueprint: Blueprint, match: int) -> None:
        super().__init__()
        self.layout = blueprint.layout
        self.embeddings = Embeddings(
            blueprint.fitted.vocabularies,
            size=blueprint.sizes.embedding,
            unseen_rows=blueprint.sizes.unseen_rows,
        )
        self.user_inputs = UserInputs(blueprint, self.embeddings)
        self.candidate_inputs = SideInputs(blueprint.candidate_layout, blueprint, self.embeddings)
        self.match = Match(match)
        self.head_weights = dict(blueprint.head_weights)
        self.tasks: dict[str, Any] = {head: self._task(head) for head in self.layout.heads}

    @staticmethod
    def examples(samples: Samples) -> Samples:
        """The samples to train on: all impressions."""
        return samples

    def prepare(self, training: Samples, validation: Samples, batch_slates: int) -> None:
        """Nothing to set before the first step."""

    def head_outputs(self, user: tf.Tensor, candidate: tf.Tensor, slate: tf.Tensor | None) -> tf.Tensor:
        """The raw output of each head: a logit or, of an amount, its log1p.

        Args:
            user: float32 [U, D_u].
            candidate: float32 [N, D_c].
            slate: Row of each candidate's viewer, int32 [N]; None = one viewer.

        Returns:
            float32 [N, heads].
        """
        raise NotImplementedError

    def raw(
        self, tensors: Mapping[str, tf.Tensor], slate: tf.Tensor | None = None, step: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Packed tensors → the raw outputs [N, heads]; `step` is the training step, None outside training."""
        user = self.user_inputs(tensors, step)
        candidate = self.candidate_inputs(tensors, step)
        matched = tf.concat([candidate, self.match(user, candidate, slate)], axis=-1)
        return self.head_outputs(user, matched, slate)

    def predictions(self, tensors: Mapping[str, tf.Tensor], slate: tf.Tensor | None = None) -> tf.Tensor:
        """What is served, float32 [N, heads] in the order of `layout.heads`.

        A binary head is a probability, watch time an amount in seconds in [0, `LONGEST_WATCH_S`]: expm1 of the
        predicted mean log1p, which is nearer to the median than to the mean of a heavy tail.

        Args:
            tensors: Packed tensors; user tensors have a row a viewer, candidate tensors a row a candidate.
            slate: Row of each candidate's viewer, int32 [N]; None = all belong to one viewer.
        """
        return self.calibrated(self.raw(tensors, slate))

    def calibrated(self, raw: tf.Tensor) -> tf.Tensor:
        """Raw outputs [N, heads] → predictions [N, heads]."""
        columns = [self._prediction(head, raw[:, place]) for place, head in enumerate(self.layout.heads)]
        return tf.stack(columns, axis=-1)

    def evidence(self, head: str, raw: tf.Tensor) -> tf.Tensor:
        """What the loss of a head compares with its label: its own raw output, float32 [N]."""
        return raw[:, self.layout.heads.index(head)]

    def head_loss(self, head: str) -> Any:
        """The loss function of a head, of `training.losses`."""
        return losses.binary_cross_entropy if HEADS[head].binary else losses.log_squared_error

    def compute_loss(self, inputs: Mapping[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Σ over heads of weight · masked mean loss, for a batch of `training.data.examples`."""
        raw = self.raw(inputs, inputs["slate"], inputs["step"] if training else None)
        total = tf.constant(0.0)
        for place, head in enumerate(self.layout.heads):
            mask = tf.cast(inputs["mask"][:, place], tf.float32)
            loss = self.tasks[head](
                inputs["labels"][:, place], predictions=self.evidence(head, raw), sample_weight=mask
            )
            total += self.head_weights[head] * loss
        return total

    def signatures(self) -> dict[str, Signature]:
        """The signatures to export, `layout` apart."""
        return {"serving_default": Signature(self.layout, lambda tensors: {"predictions": self.predictions(tensors)})}

    def _task(self, head: str) -> tfrs.tasks.Ranking:
        metric = keras.metrics.Mean(f"{head}/loss")
        return tfrs.tasks.Ranking(loss=self.head_loss(head), loss_metrics=[metric], name=f"{head}_task")

    @staticmethod
    def _prediction(head: str, raw: tf.Tensor) -> tf.Tensor:
        if HEADS[head].binary:
            return tf.sigmoid(raw)
        return tf.math.expm1(tf.clip_by_value(raw, 0.0, tf.math.log1p(LONGEST_WATCH_S)))
