"""NeuMF recall: how likely a viewer enters a streamer's room, from the two keys alone.

He et al., "Neural Collaborative Filtering" (WWW 2017). Two models, each with embeddings of its own,

    GMF(u, i) = h·(p_u ⊙ q_i) + b,    MLP(u, i) = h'·φ_L(… φ_1(p'_u, q'_i)) + b'       (equations 8–10)

are trained apart and then joined, each with its share of the output layer (equation 13), and trained further together:

    s(u, i) = α·GMF(u, i) + (1 − α)·MLP(u, i),    L = mean BCE(y, σ(s))                (equations 7, 11–12)

As the two share no parameter, both are pre-trained in one pass: the gradient of the sum of their losses is each one's
own, and Adam scales each parameter for itself. We depart in going on with Adam where the paper starts anew with SGD, as
here the moments are at hand.

The negatives of a viewer are the impressions that were not entered and, drawn anew in every step, streamers of the same
batch: it holds slates of the same hours, so they were on air then. A streamer whom the viewer entered in the batch is
drawn for nothing.

Scores are log-odds: σ would put the best candidates at 1, all equal in float32. A viewer or streamer that training did
not know falls on one of the rows for unknown keys, which learn from the share `unseen_rates` of the known ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import numpy as np
import tensorflow as tf

from feature_service.features.layout import CANDIDATE_IDS, USER_IDS, Layout, TensorLayout
from training.data.examples import LayoutMismatchError
from training.data.samples import Samples
from training.heads import HEAD_NAMES
from training.layers.blueprint import Blueprint
from training.layers.embeddings import Embeddings
from training.layers.inputs import IdInputs
from training.layers.neural_factors import GeneralisedFactors, Pairs, PairTower
from training.losses import binary_cross_entropy
from training.models.recall.base import LearntRecall
from training.models.signatures import Signature

USER, STREAMER = "user.id", "streamer.id"
_SALT = 1 << 32  # Keeps the draws of negatives apart from the layers' draws of unseen keys, which take small numbers.


@dataclass(frozen=True, slots=True)
class NeuMFOptions:
    """Sizes and constants of NeuMF.

    Attributes:
        factors: Numbers of GMF's vectors.
        embedding: Numbers of the MLP's vectors.
        tower: Units of the MLP's layers.
        alpha: Share of GMF in the joined score, between 0 and 1.
        pretraining_epochs: Epochs in which both halves are trained apart, before they are joined.
        negatives: Streamers drawn for each entered room.
        l2: Weight of the mean squared length of the embeddings.
    """

    factors: int = 32
    embedding: int = 32
    tower: tuple[int, ...] = (64, 32, 16)
    alpha: float = 0.5
    pretraining_epochs: int = 2
    negatives: int = 4
    l2: float = 1e-3


class Logits(NamedTuple):
    """What the halves say of each pair.

    Attributes:
        factors: Of GMF, float32 [P].
        tower: Of the MLP, float32 [P].
    """

    factors: tf.Tensor
    tower: tf.Tensor


class LabelledPairs(NamedTuple):
    """What to learn.

    Attributes:
        pairs: Who meets whom.
        entered: Whether the viewer entered, float32 [P].
        weight: Of the pair's loss, float32 [P].
    """

    pairs: Pairs
    entered: tf.Tensor
    weight: tf.Tensor


class NeuMF(LearntRecall):
    """GMF and MLP over one table of embeddings, of which each half reads its own columns."""

    Options = NeuMFOptions
    batches_in_time: ClassVar[bool] = True

    def __init__(self, blueprint: Blueprint, options: NeuMFOptions) -> None:
        super().__init__(blueprint, options)
        self.options: NeuMFOptions = options
        user, streamer = _key(blueprint.layout, USER_IDS, USER), _key(blueprint.layout, CANDIDATE_IDS, STREAMER)
        self._user_place, self._streamer_place = (
            blueprint.layout[tensor.name].slices()[tensor.columns[0].name] for tensor in (user, streamer)
        )
        self.layout = Layout((user, streamer))
        known = blueprint.fitted.vocabularies
        self.embeddings = Embeddings(
            {name: known[name] for name in (blueprint.encodings[key][1] for key in (USER, STREAMER))},
            size=options.factors + options.embedding,
            unseen_rows=blueprint.sizes.unseen_rows,
        )
        self.user_input = IdInputs(user, blueprint, self.embeddings)
        self.streamer_input = IdInputs(streamer, blueprint, self.embeddings)
        self.factors, self.tower = GeneralisedFactors(options.factors), PairTower(options.tower)
        self._pretraining_steps = 0

    @staticmethod
    def examples(samples: Samples) -> Samples:
        """The samples to train on: impressions of which is known whether they were entered."""
        known = samples.candidates.mask[:, HEAD_NAMES.index("enter")]
        return replace(samples, candidates=samples.candidates.take(np.flatnonzero(known)))

    def prepare(self, training: Samples, validation: Samples, batch_slates: int) -> None:  # noqa: ARG002 - the base's.
        """Turns epochs of pre-training into steps."""
        self._pretraining_steps = self.options.pretraining_epochs * -(-len(training.slates.user) // batch_slates)

    def logits(self, users: tf.Tensor, streamers: tf.Tensor, pairs: Pairs | None) -> Logits:
        """What both halves say.

        Args:
            users: Both embeddings of each viewer, float32 [U, factors + embedding].
            streamers: And of each streamer, float32 [M, factors + embedding].
            pairs: Which rows meet; None = the one viewer meets all streamers.
        """
        sizes = [self.options.factors, self.options.embedding]
        p_factors, p_tower = tf.split(users, sizes, axis=-1)
        q_factors, q_tower = tf.split(streamers, sizes, axis=-1)
        return Logits(self.factors(p_factors, q_factors, pairs), self.tower(p_tower, q_tower, pairs))

    def joined(self, logits: Logits) -> tf.Tensor:
        """The score s of each pair, float32 [P]."""
        return self.options.alpha * logits.factors + (1.0 - self.options.alpha) * logits.tower

    def pair_loss(
        self, users: tf.Tensor, streamers: tf.Tensor, learnt: LabelledPairs, apart: bool | tf.Tensor
    ) -> tf.Tensor:
        """Mean BCE of the joined score, or the sum of those of both halves while they are trained apart.

        Args:
            users: As of `logits`.
            streamers: As of `logits`.
            learnt: Which rows meet, and how it ended.
            apart: Whether this is pre-training, bool scalar.
        """
        logits = self.logits(users, streamers, learnt.pairs)

        def loss(scores: tf.Tensor) -> tf.Tensor:
            return binary_cross_entropy(learnt.entered, scores, learnt.weight)

        return tf.where(apart, loss(logits.factors) + loss(logits.tower), loss(self.joined(logits)))

    def penalty(self, users: tf.Tensor, streamers: tf.Tensor) -> tf.Tensor:
        """`l2` times the mean squared length of the embeddings of both sides, which are as of `logits`."""
        squares = [tf.reduce_mean(tf.reduce_sum(rows**2, axis=-1)) for rows in (users, streamers)]
        return self.options.l2 * tf.add_n(squares)

    def compute_loss(self, inputs: Mapping[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Loss of a batch of `training.data.examples`: its impressions, and streamers drawn for each entered room.

        The validation loss is that of the joined score in every epoch, so that epochs compare.
        """
        step = inputs["step"] if training else None
        keys, place = tf.unique(tf.squeeze(inputs[CANDIDATE_IDS][:, self._streamer_place], axis=1))
        users = self.user_input(inputs[USER_IDS][:, self._user_place], step)
        streamers = self.streamer_input(keys[:, tf.newaxis], step)
        learnt = self._labelled(inputs, place, tf.size(keys))
        if step is None:
            return self.pair_loss(users, streamers, learnt, apart=False)
        apart = step <= self._pretraining_steps
        return self.pair_loss(users, streamers, learnt, apart) + self.penalty(users, streamers)

    def signatures(self) -> dict[str, Signature]:
        """The signatures to export, `layout` apart."""

        def serve(tensors: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            users, streamers = self.user_input(tensors[USER_IDS]), self.streamer_input(tensors[CANDIDATE_IDS])
            return {"score": self.joined(self.logits(users, streamers, None))}

        return {"serving_default": Signature(self.layout, serve)}

    def _labelled(self, inputs: Mapping[str, tf.Tensor], place: tf.Tensor, streamers: tf.Tensor) -> LabelledPairs:
        """The batch's impressions, and for each entered one `negatives` streamers drawn among all of the batch.

        Args:
            inputs: The batch.
            place: Row of each impression's streamer among the batch's distinct ones, int32 [N].
            streamers: How many those are, int32 scalar.
        """
        slate, entered = inputs["slate"], inputs["entered"]
        drawn_slate = tf.repeat(tf.boolean_mask(slate, entered), self.options.negatives)
        seed = tf.stack([inputs["step"], tf.constant(_SALT, tf.int64)])
        drawn = tf.random.stateless_uniform(tf.shape(drawn_slate), seed, maxval=streamers, dtype=tf.int32)
        _, viewer = tf.unique(inputs["user"])
        codes = tf.gather(viewer, slate) * streamers + place
        taken = tf.sort(tf.boolean_mask(codes, entered))
        drawn_codes = tf.gather(viewer, drawn_slate) * streamers + drawn
        after, before = (tf.searchsorted(taken, drawn_codes, side=side) for side in ("right", "left"))
        return LabelledPairs(
            Pairs(tf.concat([slate, drawn_slate], axis=0), tf.concat([place, drawn], axis=0)),
            tf.concat([tf.cast(entered, tf.float32), tf.zeros_like(drawn, tf.float32)], axis=0),
            tf.concat([tf.ones_like(place, tf.float32), tf.cast(after == before, tf.float32)], axis=0),
        )


def _key(layout: Layout, name: str, key: str) -> TensorLayout:
    """The tensor with the key's column alone.

    Raises:
        LayoutMismatchError: There is none.
    """
    columns = layout[name].columns if name in layout else ()
    found = tuple(column for column in columns if column.name == key)
    if not found:
        received = [column.name for column in columns]
        raise LayoutMismatchError(f"features: expected {key} among those of {name}, received {received}")
    return TensorLayout(name, found)
