"""Two-tower recall: viewers and rooms as vectors whose product ranks the rooms on air.

Yi et al., "Sampling-Bias-Corrected Neural Modeling for Large Corpus Item Recommendations" (RecSys 2019):

    s(x, y) = ⟨u(x), v(y)⟩ / τ,   s^c = s − log p̂(y),   L = −mean log softmax_batch(s^c)       (equations 3–6)

with u and v of length 1. A few days of a platform do not teach such towers what simple counts know, how popular a
streamer is and whom a viewer comes back to, so the vectors carry it beside the towers, and stay vectors:

    s(x, y) = ⟨u(x), v(y)⟩ / τ + b(y) + ⟨m(x), m(y)⟩ = ⟨(u, τ, τ·m(x)), (v, b, m(y))⟩ / τ

with b of `StreamerBias` and m of `Revisits`. The correction takes p̂ from the streaming frequency of the *streamer* (a
room lives for an hour, a streamer stays). Accidental hits are taken out by streamer, and a viewer's other entered rooms
are no negatives. A batch holds slates of the same hours, so that its rooms were on air together: what the model learns
is the choice among rooms, and not which streamer is on air when. We depart in warming the frequency estimate
up with the counts of the training samples, as a few epochs are too short for the moving average to forget its start.

Rooms are read without heat: what a room tower sees must not change each second, or the index would.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf
import tensorflow_recommenders as tfrs
import tf_keras as keras
from numpy.typing import NDArray

from feature_service.features.layout import CANDIDATE_IDS, Layout
from training.data.samples import Samples
from training.heads import HEAD_NAMES
from training.layers.blueprint import Blueprint
from training.layers.embeddings import Embeddings
from training.layers.inputs import SideInputs, UserInputs
from training.layers.popularity import StreamerBias
from training.layers.revisits import STREAMER, Revisits
from training.layers.towers import Tower
from training.losses import (
    Frequencies,
    append_correction,
    frequency_slots,
    log_sampling_probability,
    update_frequencies,
)
from training.models.recall.base import LearntRecall
from training.models.signatures import Signature


@dataclass(frozen=True, slots=True)
class TwoTowerOptions:
    """Sizes and constants of the two-tower model.

    Attributes:
        tower: Units of each tower's hidden layers.
        vector: Numbers of the two towers' vectors.
        revisits: Numbers that tell of the streamers watched: the more, the less do they blur each other.
        temperature: τ of the softmax.
        frequency_rate: α of the streaming frequency.
        frequency_slots: H of the streaming frequency; well above the number of streamers.
        frequency_hashes: m of the streaming frequency.
    """

    tower: tuple[int, ...] = (128,)
    vector: int = 64
    revisits: int = 128
    temperature: float = 0.07
    frequency_rate: float = 0.01
    frequency_slots: int = 1 << 17
    frequency_hashes: int = 2


class TwoTower(LearntRecall):
    """User tower and room tower over one embedding table, trained on the rooms that were entered.

    Attributes:
        layout: The columns that the model reads; no heads.
        options: Sizes and constants.
    """

    Options = TwoTowerOptions
    batches_in_time: ClassVar[bool] = True

    def __init__(self, blueprint: Blueprint, options: TwoTowerOptions) -> None:
        super().__init__(blueprint, options)
        self._user_layout = Layout(blueprint.user_layout.tensors + blueprint.history_layout.tensors)
        self._room_layout = Layout(blueprint.candidate_layout.tensors)
        self.embeddings = Embeddings(
            blueprint.fitted.vocabularies,
            size=blueprint.sizes.embedding,
            unseen_rows=blueprint.sizes.unseen_rows,
        )
        self.user_inputs = UserInputs(blueprint, self.embeddings)
        self.room_inputs = SideInputs(blueprint.candidate_layout, blueprint, self.embeddings)
        self.user_tower, self.room_tower = Tower(options.tower), Tower(options.tower)
        self.user_vector, self.room_vector = keras.layers.Dense(options.vector), keras.layers.Dense(options.vector)
        self.revisits = Revisits(blueprint, options.revisits) if Revisits.possible(self.layout) else None
        self._streamer = self.layout[CANDIDATE_IDS].slices().get(STREAMER) if CANDIDATE_IDS in self.layout else None
        self.bias = StreamerBias(blueprint, STREAMER) if self._streamer else None
        shape = (options.frequency_hashes, options.frequency_slots)
        self.last_step = tf.Variable(tf.zeros(shape), trainable=False, name="last_step")
        self.gap = tf.Variable(tf.ones(shape), trainable=False, name="gap")
        self.validation_gap = tf.Variable(tf.ones(shape), trainable=False, name="validation_gap")
        each: Any = keras.losses.CategoricalCrossentropy(from_logits=True, reduction=keras.losses.Reduction.NONE)
        self.task: Any = tfrs.tasks.Retrieval(
            loss=each, temperature=options.temperature, remove_accidental_hits=True, name="retrieval_task"
        )

    @staticmethod
    def examples(samples: Samples) -> Samples:
        """The samples to train on: impressions that were entered, and the slates that have one."""
        enter = HEAD_NAMES.index("enter")
        entered = samples.candidates.mask[:, enter] & (samples.candidates.labels[:, enter] > 0)
        kept = replace(samples, candidates=samples.candidates.take(np.flatnonzero(entered)))
        return kept.of_slates(np.bincount(kept.candidates.slate, minlength=len(kept.slates.user)) > 0)

    def prepare(self, training: Samples, validation: Samples, batch_slates: int) -> None:
        """Starts the bias, warms the frequency estimate up, and sets that of the validation batches.

        A streamer entered c times, spread over n batches, hits a batch with chance 1 − (1 − 1/n)^c; its gap starts at
        the inverse of that. Validation has frequencies of its own: measured by those of training, streamers who came
        later would look very rare and drown the loss that early stopping goes by.

        Args:
            training: What `examples` gave of the training samples.
            validation: And of the validation samples.
            batch_slates: Slates a batch.
        """
        if self.bias:
            self.bias.start(training.candidates.streamer)
        self.gap.assign(self._expected_gap(training, batch_slates))
        self.validation_gap.assign(self._expected_gap(validation, batch_slates))

    @property
    def width(self) -> int:
        """Numbers of a vector."""
        return self.options.vector + (self.bias is not None) + (self.options.revisits if self.revisits else 0)

    def user_vectors(self, tensors: Mapping[str, tf.Tensor], step: tf.Tensor | None = None) -> tf.Tensor:
        """Packed user tensors and sequences of U viewers → vectors (u, τ, τ·m), float32 [U, width]."""
        rows = self.user_tower(self.user_inputs(tensors, step))
        parts = [tf.math.l2_normalize(self.user_vector(rows), axis=-1)]
        if self.bias:
            parts.append(tf.fill([tf.shape(rows)[0], 1], self.options.temperature))
        if self.revisits:
            parts.append(self.options.temperature * self.revisits.user(tensors))
        return tf.concat(parts, axis=-1)

    def room_vectors(self, tensors: Mapping[str, tf.Tensor], step: tf.Tensor | None = None) -> tf.Tensor:
        """Packed candidate tensors of N rooms → vectors (v, b, m), float32 [N, width]."""
        rows = self.room_tower(self.room_inputs(tensors, step))
        parts = [tf.math.l2_normalize(self.room_vector(rows), axis=-1)]
        if self.bias:
            parts.append(self.bias(tensors[CANDIDATE_IDS][:, self._streamer]))
        if self.revisits:
            parts.append(self.revisits.room(tensors))
        return tf.concat(parts, axis=-1)

    def compute_loss(self, inputs: Mapping[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Mean corrected in-batch softmax loss of a batch of `training.data.examples` of entered rooms."""
        step = inputs["step"] if training else None
        queries = tf.gather(self.user_vectors(inputs, step), inputs["slate"])
        rooms = self.room_vectors(inputs, step)
        log_probability = self._log_probability(inputs["streamer"], step)
        viewer = tf.gather(inputs["user"], inputs["slate"])
        other_viewer = viewer[:, tf.newaxis] != viewer[tf.newaxis, :]
        self_pair = tf.eye(tf.shape(viewer)[0]) > 0
        queries, rooms = append_correction(queries, rooms, log_probability, self.options.temperature)
        losses = self.task(
            queries,
            candidate_embeddings=rooms,
            candidate_ids=inputs["streamer"],
            score_mask=other_viewer | self_pair,
        )
        return tf.reduce_mean(losses)

    def signatures(self) -> dict[str, Signature]:
        """The signatures to export, `layout` apart."""
        user = Signature(self._user_layout, lambda tensors: {"vector": self.user_vectors(tensors)})
        room = Signature(self._room_layout, lambda tensors: {"vector": self.room_vectors(tensors)})
        return {"user": user, "room": room, "serving_default": user}

    def _expected_gap(self, samples: Samples, batch_slates: int) -> NDArray[np.float32]:
        """Expected batches between two hits of each slot, float32 [hashes, slots]."""
        slots = self._slots(tf.constant(samples.candidates.streamer)).numpy()
        counts = np.stack([np.bincount(row, minlength=self.options.frequency_slots) for row in slots])
        batches = max(-(-len(samples.slates.user) // batch_slates), 2)
        miss = (1.0 - 1.0 / batches) ** np.maximum(counts, 1)
        return (1.0 / (1.0 - miss)).astype(np.float32)

    def _slots(self, streamer: tf.Tensor) -> tf.Tensor:
        return frequency_slots(streamer, self.options.frequency_hashes, self.options.frequency_slots)

    def _log_probability(self, streamer: tf.Tensor, step: tf.Tensor | None) -> tf.Tensor:
        """Log p̂ of each streamer, float32 [N]; a training step counts its batch before."""
        slots = self._slots(streamer)
        if step is None:
            return log_sampling_probability(tf.convert_to_tensor(self.validation_gap), slots)
        state = Frequencies(tf.convert_to_tensor(self.last_step), tf.convert_to_tensor(self.gap))
        state = update_frequencies(state, slots, tf.cast(step, tf.float32), self.options.frequency_rate)
        self.last_step.assign(state.last_step)
        self.gap.assign(state.gap)
        return log_sampling_probability(state.gap, slots)
