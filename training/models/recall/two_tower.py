"""Two-tower recall: viewers and rooms as vectors whose product ranks the rooms on air.

Yi et al., "Sampling-Bias-Corrected Neural Modeling for Large Corpus Item Recommendations" (RecSys 2019):

    s(x, y) = ⟨u(x), v(y)⟩ / τ,   s^c = s − log q(y),   L = −mean log softmax(s^c)       (equations 3–6)

with u and v of length 1. A few days of a platform do not teach such towers what simple counts know, how popular a
streamer is and whom a viewer comes back to, so the vectors carry it beside the towers, and stay vectors:

    s(x, y) = ⟨u(x), v(y)⟩ / τ + b(y) + ⟨m(x), m(y)⟩ = ⟨(u, τ, τ·m(x)), (v, b, m(y))⟩ / τ

with b of `StreamerBias` and m of `Revisits`. Of the towers (`UnitTower`), the viewer's pools the history by attention,
which reads dwell and age, over the streamers watched, their categories and their contents (`ContentProfiles`).

The softmax runs over the rooms that the batch entered and over rooms drawn uniformly among those on air at the time
(Yang et al., "Mixed Negative Sampling for Learning Two-Tower Neural Networks in Recommendations", WWW 2020), so that
rooms which nobody enters are met too. Both together are corrected with q(y) = p̂(y) + r: p̂ is the streaming frequency of
the *streamer* (a room lives for an hour, a streamer stays), r the chance to be drawn. A room that was not on air when
the slate was served is no negative; nor is a room of the same streamer, or another one that the viewer entered. A batch
holds slates of the same hours: what the model learns is the choice among rooms, and not which streamer is on air when.

Rooms are read without heat: what a room tower sees must not change each second, or the index would.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf
import tensorflow_recommenders as tfrs
import tf_keras as keras
from numpy.typing import NDArray

from feature_service.features.layout import CANDIDATE_IDS, CANDIDATE_VECTORS, Layout, TensorLayout
from training.data.examples import Batch
from training.data.negatives import NEGATIVE, NEGATIVE_STREAMER, LiveNegatives
from training.data.samples import RoomVersions, Samples
from training.heads import HEAD_NAMES
from training.layers.blueprint import Blueprint
from training.layers.embeddings import Embeddings
from training.layers.frequency import StreamingFrequency
from training.layers.inputs import SideInputs, UserInputs
from training.layers.last_rooms import LastRooms
from training.layers.popularity import StreamerBias
from training.layers.profiles import ContentProfiles
from training.layers.revisits import STREAMER, Revisits
from training.layers.towers import UnitTower
from training.losses import append_correction, mixture_log_probability
from training.models.recall.base import LearntRecall
from training.models.recall.entered import Entered
from training.models.signatures import Signature

_HIDDEN_SALT = 11  # Beside the step, in the seed of what is hidden.

ALL_NEGATIVES = 1 << 30
"""As `hard_negatives`: all are kept, and need not be sorted."""


@dataclass(frozen=True, slots=True)
class TwoTowerOptions:
    """Sizes and constants of the two-tower model.

    Attributes:
        tower: Units of each tower's hidden layers.
        vector: Numbers of the two towers' vectors.
        revisits: Numbers that tell of the streamers watched: the more, the less do they blur each other.
        temperature: τ of the softmax.
        hidden: Share of the rooms whose streamer is taken for one who was never met, in training.
        negatives: Rooms on air drawn beside those of a batch.
        hard_negatives: So many of a row's negatives, those with the highest scores, are kept.
        frequency_rate: α of the streaming frequency.
        frequency_slots: H of the streaming frequency; well above the number of streamers.
        frequency_hashes: m of the streaming frequency.
    """

    tower: tuple[int, ...] = (128,)
    vector: int = 64
    revisits: int = 128
    temperature: float = 0.07
    hidden: float = 0.0
    negatives: int = 256
    hard_negatives: int = ALL_NEGATIVES
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
        self.profiles = ContentProfiles(blueprint) if ContentProfiles.possible(self.layout) else None
        self.user_inputs = UserInputs(blueprint, self.embeddings, self.profiles)
        self.room_inputs = SideInputs(blueprint.candidate_layout, blueprint, self.embeddings)
        self.user_tower, self.room_tower = (UnitTower(options.tower, options.vector) for _ in range(2))
        self.revisits = Revisits(blueprint, options.revisits) if Revisits.possible(self.layout) else None
        self._streamer = self.layout[CANDIDATE_IDS].slices().get(STREAMER) if CANDIDATE_IDS in self.layout else None
        self.bias = StreamerBias(blueprint, STREAMER) if self._streamer else None
        self._is_streamer = _columns(self.layout[CANDIDATE_IDS], STREAMER) if self._streamer else None
        self.frequency = StreamingFrequency(
            rate=options.frequency_rate, slots=options.frequency_slots, hashes=options.frequency_hashes
        )
        self.last_rooms = LastRooms(self._room_layout)
        self._negatives: LiveNegatives | None = None
        each: Any = keras.losses.CategoricalCrossentropy(from_logits=True, reduction=keras.losses.Reduction.NONE)
        self.task: Any = tfrs.tasks.Retrieval(
            loss=each,
            temperature=options.temperature,
            remove_accidental_hits=True,
            num_hard_negatives=None if options.hard_negatives >= ALL_NEGATIVES else options.hard_negatives,
            name="retrieval_task",
        )

    @staticmethod
    def examples(samples: Samples) -> Samples:
        """The samples to train on: impressions that were entered, and the slates that have one."""
        enter = HEAD_NAMES.index("enter")
        entered = samples.candidates.mask[:, enter] & (samples.candidates.labels[:, enter] > 0)
        kept = replace(samples, candidates=samples.candidates.take(np.flatnonzero(entered)))
        return kept.of_slates(np.bincount(kept.candidates.slate, minlength=len(kept.slates.user)) > 0)

    def prepare(self, training: Samples, validation: Samples, batch_slates: int) -> None:
        """Takes in what is counted and not learnt: the profiles, the bias and the frequencies.

        Args:
            training: What `examples` gave of the training samples.
            validation: And of the validation samples.
            batch_slates: Slates a batch.
        """
        entered = training.candidates.streamer
        if self.profiles:
            self.profiles.start(entered, training.candidates.tensors[CANDIDATE_VECTORS].astype(np.float32, copy=False))
        if self.bias:
            self.bias.start(entered)
        batches = [-(-len(part.slates.user) // batch_slates) for part in (training, validation)]
        self.frequency.start(entered, validation.candidates.streamer, (batches[0], batches[1]))

    def meet(self, rooms: RoomVersions, until_ms: int, seed: int) -> None:
        """See `LearntRecall`; without rooms, negatives come from the batch alone, and `nearest` is not offered."""
        self._negatives = LiveNegatives(rooms, self.options.negatives, seed)
        self.last_rooms.start(rooms, until_ms)

    def drawn(self, batch: Batch) -> Batch:
        """Rooms on air beside those of a batch; see `LiveNegatives.draw`."""
        return self._negatives.draw(batch["time_ms"], int(batch["step"])) if self._negatives else {}

    @property
    def width(self) -> int:
        """Numbers of a vector."""
        return self.options.vector + (self.bias is not None) + (self.options.revisits if self.revisits else 0)

    def user_vectors(self, tensors: Mapping[str, tf.Tensor], step: tf.Tensor | None = None) -> tf.Tensor:
        """Packed user tensors and sequences of U viewers → vectors (u, τ, τ·m), float32 [U, width]."""
        parts = [self.user_tower(self.user_inputs(tensors, step))]
        if self.bias:
            parts.append(tf.fill([tf.shape(parts[0])[0], 1], self.options.temperature))
        if self.revisits:
            parts.append(self.options.temperature * self.revisits.user(tensors))
        return tf.concat(parts, axis=-1)

    def room_vectors(self, tensors: Mapping[str, tf.Tensor], step: tf.Tensor | None = None) -> tf.Tensor:
        """Packed candidate tensors of N rooms → vectors (v, b, m), float32 [N, width].

        In a training step, v and b of some rooms are of an unknown streamer, so that the model learns what a room is
        worth whose streamer was never met: what it shows, and how popular an unknown streamer is (after Volkovs, Yu and
        Poutanen, "DropoutNet: Addressing Cold Start in Recommender Systems", NeurIPS 2017). m is told all the same.
        """
        shown = tensors
        if step is not None and self._is_streamer is not None:
            ids, hidden = tensors[CANDIDATE_IDS], self._hidden(tensors, step)[:, tf.newaxis] & self._is_streamer
            shown = {**tensors, CANDIDATE_IDS: tf.where(hidden, tf.bitwise.invert(ids), ids)}  # Keys nobody has.
        parts = [self.room_tower(self.room_inputs(shown, step))]
        if self.bias:
            parts.append(self.bias(shown[CANDIDATE_IDS][:, self._streamer]))
        if self.revisits:
            parts.append(self.revisits.room(tensors))
        return tf.concat(parts, axis=-1)

    def _hidden(self, tensors: Mapping[str, tf.Tensor], step: tf.Tensor) -> tf.Tensor:
        """Which rooms' streamers are unknown in a training step, bool [N]."""
        seed = tf.stack([step, tf.constant(_HIDDEN_SALT, tf.int64)])
        return tf.random.stateless_uniform(tf.shape(tensors[CANDIDATE_IDS])[:1], seed) < self.options.hidden

    def _without_code(self, vectors: tf.Tensor, where: tf.Tensor) -> tf.Tensor:
        """The vectors (v, b, m) of rooms, with zeros for m where bool [N] is true: nobody watched whom she is like."""
        width = self.options.revisits if self.revisits else 0
        is_code = tf.range(self.width) >= self.width - width
        return tf.where(where[:, tf.newaxis] & is_code, 0.0, vectors)

    def compute_loss(self, inputs: Mapping[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Weighted mean corrected softmax loss of a batch of entered rooms, and of rooms drawn beside it, if any."""
        step = inputs["step"] if training else None
        if step is not None:
            self.frequency.count(inputs["streamer"], step)
        entered = self._entered(inputs, step)
        queries = tf.gather(self.user_vectors(inputs, step), entered.slate)
        rooms, streamers = entered.vectors, entered.streamer
        log_probability = self.frequency.log_probability(streamers, training=training)
        viewer = tf.gather(inputs["user"], entered.slate)
        same_viewer = viewer[:, tf.newaxis] == viewer[tf.newaxis, :]
        allowed = tf.logical_not(same_viewer) | tf.eye(tf.shape(viewer)[0], dtype=tf.bool)
        if NEGATIVE_STREAMER in inputs:
            drawn = {name.removeprefix(NEGATIVE): each for name, each in inputs.items() if name.startswith(NEGATIVE)}
            rooms = tf.concat([rooms, self._drawn_vectors(drawn, step)], axis=0)
            theirs = self.frequency.log_probability(drawn["streamer"], training=training)
            log_probability = mixture_log_probability(tf.concat([log_probability, theirs], axis=0), drawn["rate"])
            allowed = tf.concat([allowed, entered.negatives(drawn, inputs["time_ms"], same_viewer)], axis=1)
            streamers = tf.concat([streamers, drawn["streamer"]], axis=0)
        queries, rooms = append_correction(queries, rooms, log_probability, self.options.temperature)
        losses = self.task(queries, candidate_embeddings=rooms, candidate_ids=streamers, score_mask=allowed)
        weights = entered.weights()
        return tf.reduce_sum(weights * losses) / tf.reduce_sum(weights)

    def _entered(self, inputs: Mapping[str, tf.Tensor], step: tf.Tensor | None) -> Entered:
        """The entered rooms of a batch.

        In training, those of an unknown streamer who is new to the viewer stand there once more, without code, as the
        room of a streamer whom nobody has met; with it, the first ones go on teaching the codes.
        """
        vectors, repeat = self.room_vectors(inputs, step), self._repeats(inputs)
        entered = Entered(inputs["slate"], inputs["streamer"], vectors, repeat)
        if step is None or not self.revisits:
            return entered
        unmet = self._hidden(inputs, step) & tf.logical_not(repeat)
        again = replace(entered, vectors=self._without_code(vectors, unmet)).where(unmet)
        return entered.and_then(again)

    def _drawn_vectors(self, drawn: Mapping[str, tf.Tensor], step: tf.Tensor | None) -> tf.Tensor:
        """Vectors of the rooms drawn beside a batch, float32 [M, width]; unknown streamers have no code."""
        vectors = self.room_vectors(drawn, step)
        return vectors if step is None else self._without_code(vectors, self._hidden(drawn, step))

    def _repeats(self, inputs: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Which entered rooms are of a streamer in their viewer's history, bool [N]."""
        if not self.revisits:
            return tf.zeros_like(inputs["streamer"], tf.bool)
        watched = tf.gather(self.revisits.watched(inputs), inputs["slate"])
        return tf.reduce_any(watched == inputs["streamer"][:, tf.newaxis], axis=1)

    def signatures(self) -> dict[str, Signature]:
        """The signatures to export, `layout` apart; `nearest` where streamers are known."""
        user = Signature(self._user_layout, lambda tensors: {"vector": self.user_vectors(tensors)})
        room = Signature(self._room_layout, lambda tensors: {"vector": self.room_vectors(tensors)})
        found = {"user": user, "room": room, "serving_default": user}
        index = self.last_rooms.index(self.room_vectors)
        return found | {"nearest": Signature(self._user_layout, self._nearest(index))} if index else found

    def _nearest(self, index: Any) -> Callable[[Mapping[str, tf.Tensor]], dict[str, tf.Tensor]]:
        def nearest(tensors: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            scores, streamers = index(self.user_vectors(tensors))
            return {"streamer": streamers, "score": scores}

        return nearest


def _columns(tensor: TensorLayout, feature: str) -> NDArray[np.bool_]:
    """Which columns of a packed tensor are the feature's, bool [width]."""
    place = tensor.slices()[feature]
    columns = np.arange(tensor.width)
    return (place.start <= columns) & (columns < place.stop)
