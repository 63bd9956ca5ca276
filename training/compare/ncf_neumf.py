"""NeuMF on ratings: the served model's class, trained under the protocol of the paper."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras
from numpy.typing import NDArray

from feature_service.features.layout import CANDIDATE_IDS, USER_IDS, Column, Layout, TensorLayout
from feature_service.features.schema import Encoding
from training.compare.ncf import K, NcfScorer, rank_among
from training.compare.ncf_data import NcfData
from training.layers.blueprint import Blueprint, InputSizes
from training.layers.fitted import Fitted
from training.layers.neural_factors import Pairs
from training.metrics import ndcg
from training.models.recall.neumf import STREAMER, USER, LabelledPairs, NeuMF, NeuMFOptions

_LAYOUT = Layout(
    (
        TensorLayout(USER_IDS, (Column(USER, 1, "int64", 1, 0),)),
        TensorLayout(CANDIDATE_IDS, (Column(STREAMER, 1, "int64", 1, 0),)),
    )
)


@dataclass(frozen=True, slots=True)
class NcfNeuMF:
    """How NeuMF is trained on ratings. Chosen on `NcfData.without_one_each` of MovieLens 1M.

    Attributes:
        options: Of the model; `negatives` for each rating are drawn among all items, whether rated or not.
        epochs: Passes at most, those of pre-training included.
        batch: Ratings a step, without their negatives.
        learning_rate: Of Adam in pre-training.
        joined_learning_rate: And after the halves were joined.
    """

    options: NeuMFOptions = field(
        default_factory=lambda: NeuMFOptions(
            factors=64, embedding=32, tower=(32, 16), pretraining_epochs=9, negatives=4, l2=4e-3
        )
    )
    epochs: int = 15
    batch: int = 8192
    learning_rate: float = 0.01
    joined_learning_rate: float = 0.003


def fit_neumf(
    data: NcfData, seed: int, on_epoch: Callable[[int], None] = lambda _: None, how: NcfNeuMF | None = None
) -> NcfScorer:
    """Trains on all ratings but one of each user, and keeps the epoch that ranks those best.

    Args:
        data: The split; its targets are not looked at.
        seed: Of the start, the order, the negatives and the ratings held back.
        on_epoch: Is told the epochs that are done.
        how: Sizes and constants.
    """
    how = how or NcfNeuMF()
    keras.utils.set_random_seed(seed)
    held_back = data.without_one_each(seed)
    run = _Run(held_back, how, np.random.default_rng(seed))
    best, weights = -1.0, run.model.get_weights()
    for epoch in range(1, how.epochs + 1):
        run.epoch(apart=epoch <= how.options.pretraining_epochs)
        if (reached := run.ndcg(held_back.candidates())) > best:
            best, weights = reached, run.model.get_weights()
        on_epoch(epoch)
    run.model.set_weights(weights)
    return run.scores


class _Run:
    """A model in training on the numbered users and items of a split: every step sees the embeddings of all."""

    def __init__(self, data: NcfData, how: NcfNeuMF, rng: np.random.Generator) -> None:
        self.data, self.how, self.rng = data, how, rng
        self.users = np.arange(1, data.users + 1)
        self.items = np.arange(data.users + 1, data.users + data.items + 1)
        vocabularies = {"user": self.users, "streamer": self.items}
        encodings = {USER: (Encoding.ID, "user"), STREAMER: (Encoding.ID, "streamer")}
        blueprint = Blueprint(
            layout=_LAYOUT,
            encodings=encodings,
            fitted=Fitted(vocabularies, {}, {}, {}),
            sizes=InputSizes(),
            head_weights={},
        )
        self.model = NeuMF(blueprint, how.options)
        self._score(tf.constant([0]), tf.constant([0]))  # Creates the variables.
        self.optimizer = keras.optimizers.Adam(how.learning_rate, jit_compile=False)
        self.optimizer.build(self.model.trainable_variables)
        pairs = tf.TensorSpec([None], tf.int32)
        labels = tf.TensorSpec([None], tf.float32)
        self._step = tf.function(self._stepped, input_signature=[pairs, pairs, labels, tf.TensorSpec([], tf.bool)])
        self._scored = tf.function(self._score, input_signature=[pairs, pairs])

    def epoch(self, *, apart: bool) -> None:
        """One pass over the ratings, with negatives of its own."""
        self.optimizer.learning_rate.assign(self.how.learning_rate if apart else self.how.joined_learning_rate)
        for user, item, entered in self._batches():
            self._step(tf.constant(user), tf.constant(item), tf.constant(entered), tf.constant(apart))

    def ndcg(self, candidates: NDArray[np.int64]) -> float:
        """NDCG@10 of the first of each user's candidates, int64 [U, C]."""
        users = np.repeat(np.arange(len(candidates), dtype=np.int32), candidates.shape[1])
        scores = self._ask(users, candidates.ravel().astype(np.int32)).reshape(candidates.shape)
        return float(ndcg(rank_among(scores[:, 1:], scores[:, :1]), K).mean())

    def scores(self, users: NDArray[np.int64], /) -> NDArray[np.floating]:
        """See `NcfScorer`."""
        items = np.tile(np.arange(self.data.items, dtype=np.int32), len(users))
        return self._ask(np.repeat(users.astype(np.int32), self.data.items), items).reshape(len(users), -1)

    def _batches(self) -> Iterator[tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]]:
        """User, item and whether it was rated, each rating with its negatives."""
        order, negatives = self.rng.permutation(len(self.data.user)), self.how.options.negatives
        for start in range(0, len(order), self.how.batch):
            rows = order[start : start + self.how.batch]
            drawn = self.rng.integers(0, self.data.items, len(rows) * negatives)
            user = np.tile(self.data.user[rows], 1 + negatives).astype(np.int32)
            item = np.concatenate([self.data.item[rows], drawn]).astype(np.int32)
            yield user, item, (np.arange(len(user)) < len(rows)).astype(np.float32)

    def _embedded(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Of all users and all items."""
        users, items = (tf.constant(keys[:, np.newaxis], tf.int64) for keys in (self.users, self.items))
        return self.model.user_input(users), self.model.streamer_input(items)

    def _stepped(self, user: tf.Tensor, item: tf.Tensor, entered: tf.Tensor, apart: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            users, items = self._embedded()
            learnt = LabelledPairs(Pairs(user, item), entered, tf.ones_like(entered))
            loss = self.model.pair_loss(users, items, learnt, apart) + self.model.penalty(users, items)
        variables = self.model.trainable_variables
        gradients: Any = tape.gradient(loss, variables)
        # Every row has a gradient: as one dense array it is added up faster than row by row.
        dense = [tf.convert_to_tensor(gradient) for gradient in gradients]
        self.optimizer.apply_gradients(zip(dense, variables, strict=True))

    def _score(self, user: tf.Tensor, item: tf.Tensor) -> tf.Tensor:
        users, items = self._embedded()
        return self.model.joined(self.model.logits(users, items, Pairs(user, item)))

    def _ask(self, user: NDArray[np.int32], item: NDArray[np.int32]) -> NDArray[np.float32]:
        step = 1 << 20
        parts: list[Any] = [
            self._scored(tf.constant(user[at : at + step]), tf.constant(item[at : at + step]))
            for at in range(0, len(user), step)
        ]
        return np.concatenate([part.numpy() for part in parts])
