"""What all rankers share: the two sides' inputs, a task a head, and the meaning of the predictions."""

from collections.abc import Mapping
from typing import Any, ClassVar, cast

import numpy as np
import tensorflow as tf
import tensorflow_recommenders as tfrs
import tf_keras as keras
from numpy.typing import NDArray

from feature_service.features.layout import DTYPES
from training.data.samples import Samples
from training.distribution import gathered, mean_over_workers
from training.heads import HEADS, Form
from training.layers.balance import BALANCES
from training.layers.blueprint import Blueprint
from training.layers.calibration import Calibration
from training.layers.crosses import Match
from training.layers.embeddings import Embeddings
from training.layers.inputs import SideInputs, UserInputs
from training.layers.position import PositionBias
from training.models.signatures import Signature
from training.outputs import MOST, output_of, slices_of


class Ranker(tfrs.Model):
    """A multi-head ranker of candidates for one viewer.

    A subclass wires `head_outputs`. The user side is computed once a viewer: [1, ·] in serving, [U, ·] in training,
    where `slate` says which viewer each of the N candidates belongs to.

    Attributes:
        layout: The columns that the model reads, and its heads.
        places: Where each head's numbers stand among the raw outputs.
        priors: What the raw outputs start from, float32 [outputs].
        requires: Heads without which the model cannot be built.
        batches_in_time: Whether the slates of a training batch are neighbours in time.
        Options: The dataclass of the table `[options]` of a run's configuration.
    """

    Options: ClassVar[type[Any]]
    requires: ClassVar[tuple[str, ...]] = ()
    batches_in_time: ClassVar[bool] = False

    def __init__(self, blueprint: Blueprint, match: int | None) -> None:
        """Makes what is common.

        Args:
            blueprint: What the data told.
            match: Numbers of the product of viewer and candidate; None = the subclass has inputs and `raw` of its own.
        """
        super().__init__()
        self.layout = blueprint.layout
        self.embedding_l2 = blueprint.sizes.embedding_l2
        if match is not None:
            self.embeddings = Embeddings(
                blueprint.fitted.vocabularies,
                size=blueprint.sizes.embedding,
                unseen_rows=blueprint.sizes.unseen_rows,
            )
            self.user_inputs = UserInputs(blueprint, self.embeddings)
            self.candidate_inputs = SideInputs(blueprint.candidate_layout, blueprint, self.embeddings)
            self.match = Match(match)
        heads = self.layout.heads
        self.places = slices_of(heads)
        self.priors = np.concatenate([blueprint.fitted.priors[head] for head in heads])
        self.calibration = Calibration(np.array([HEADS[head].binary for head in heads]))
        self.position_bias = PositionBias(self._logits())
        self.balance = BALANCES[blueprint.balance](blueprint.head_weights)
        self.tasks: dict[str, Any] = {head: self._task(head) for head in heads}

    @staticmethod
    def examples(samples: Samples) -> Samples:
        """The samples to train on: all impressions."""
        return samples

    def prepare(self, training: Samples, validation: Samples, batch_slates: int) -> None:
        """Nothing to set before the first step."""

    def head_outputs(self, user: tf.Tensor, candidate: tf.Tensor, slate: tf.Tensor | None) -> tf.Tensor:
        """The raw outputs of all heads, side by side as `places` says; see `training.outputs`.

        Args:
            user: float32 [U, D_u].
            candidate: float32 [N, D_c].
            slate: Row of each candidate's viewer, int32 [N]; None = one viewer.

        Returns:
            float32 [N, outputs].
        """
        raise NotImplementedError

    def raw(
        self, tensors: Mapping[str, tf.Tensor], slate: tf.Tensor | None = None, step: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Packed tensors → the raw outputs [N, outputs]; `step` is the training step, None outside training."""
        user = self.user_inputs(tensors, step)
        candidate = self.candidate_inputs(tensors, step)
        matched = tf.concat([candidate, self.match(user, candidate, slate)], axis=-1)
        return self.head_outputs(user, matched, slate)

    def predictions(self, tensors: Mapping[str, tf.Tensor], slate: tf.Tensor | None = None) -> tf.Tensor:
        """What is served, float32 [N, heads] in the order of `layout.heads`: probabilities, seconds, coins.

        Args:
            tensors: Packed tensors; user tensors have a row a viewer, candidate tensors a row a candidate.
            slate: Row of each candidate's viewer, int32 [N]; None = all belong to one viewer.
        """
        most = np.array([MOST[HEADS[head].form] for head in self.layout.heads], np.float32)
        return tf.minimum(self.calibration(self.uncalibrated(self.raw(tensors, slate))), most)

    def uncalibrated(self, raw: tf.Tensor) -> tf.Tensor:
        """Raw outputs [N, outputs] → predictions as they were learnt [N, heads]."""
        columns = [output_of(head).prediction(raw[:, place]) for head, place in self.places.items()]
        return tf.stack(columns, axis=-1)

    def evidence(self, head: str, raw: tf.Tensor) -> tf.Tensor:
        """What the loss of a head compares with its label: its own raw outputs, float32 [N, size]."""
        return raw[:, self.places[head]]

    def head_loss(self, head: str) -> Any:
        """The loss function of a head."""
        return output_of(head).loss

    def head_losses(self, inputs: Mapping[str, tf.Tensor], raw: tf.Tensor) -> dict[str, tf.Tensor]:
        """The masked mean loss of each head, scalars, for a batch of `training.data.examples`."""
        return {head: self._head_loss(head, inputs, raw) for head in self.layout.heads}

    def compute_loss(self, inputs: Mapping[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """The balanced sum of the heads' losses and, in training, `penalty`.

        Validation weighs the heads as configured, whatever the balance learns.
        """
        if training:
            return tf.add_n(self._parts(inputs))
        return self.balance.fixed(self._losses_by_head(inputs))

    def train_step(self, inputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """One step of the optimiser down the mean gradient over all workers; returns the loss and the metrics."""
        variables, optimizer = self.trainable_variables, cast(Any, self.optimizer)
        with tf.GradientTape(persistent=True) as tape:
            parts = self._parts(inputs)
        gradients = mean_over_workers([tape.gradient(part, variables) for part in parts])
        joined = self.balance.joined(gradients, optimizer.iterations)
        optimizer.apply_gradients(zip(joined, variables, strict=True), skip_gradients_aggregation=True)
        return {metric.name: metric.result() for metric in self.metrics} | {"loss": tf.add_n(parts)}

    def penalty(self, inputs: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """λ·Σ‖v‖² over the vectors of the known keys that the batch holds, each key once; float32 scalar.

        The mini-batch aware regularisation of Zhou et al., "Deep Interest Network" (KDD 2018), equations 5 and 6,
        without their 1/n_j: a key is held back as often as a batch has it.
        """
        ids = [tf.zeros(1, tf.int64)]  # Padding, which has no vector, so that there is something to join.
        ids += [
            tf.reshape(inputs[tensor.name], [-1]) for tensor in self.layout.tensors if DTYPES[tensor.name] == "int64"
        ]
        return self.embedding_l2 * self.embeddings.squares(gathered(tf.concat(ids, axis=0)))

    def signatures(self) -> dict[str, Signature]:
        """The signatures to export, `layout` apart."""
        return {"serving_default": Signature(self.layout, lambda tensors: {"predictions": self.predictions(tensors)})}

    def _parts(self, inputs: Mapping[str, tf.Tensor]) -> list[tf.Tensor]:
        """What the gradients of a step are taken of apart, scalars: what the balance says, and `penalty`."""
        penalty = self.penalty(inputs) if self.embedding_l2 else None
        return self.balance.parts(self._losses_by_head(inputs, inputs["step"]), penalty)

    def _losses_by_head(self, inputs: Mapping[str, tf.Tensor], step: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        raw = self.raw(inputs, inputs["slate"], step)
        return self.head_losses(inputs, raw + self.position_bias(inputs["position"]))

    def _head_loss(self, head: str, inputs: Mapping[str, tf.Tensor], raw: tf.Tensor) -> tf.Tensor:
        place = self.layout.heads.index(head)
        labels = inputs["labels"][:, place]
        if HEADS[head].form is Form.DURATION:
            labels = tf.stack([labels, tf.cast(inputs["censored"], tf.float32)], axis=-1)
        mask = tf.cast(inputs["mask"][:, place], tf.float32)
        return self.tasks[head](labels, predictions=self.evidence(head, raw), sample_weight=mask)

    def _logits(self) -> NDArray[np.bool_]:
        """Which raw outputs are logits of something that a place in the slate can further: the first of a head."""
        first = [place.start for head, place in self.places.items() if HEADS[head].form is not Form.DURATION]
        return np.isin(np.arange(len(self.priors)), first)

    def _task(self, head: str) -> tfrs.tasks.Ranking:
        metric = keras.metrics.Mean(f"{head}/loss")
        return tfrs.tasks.Ranking(loss=self.head_loss(head), loss_metrics=[metric], name=f"{head}_task")
