"""Target attention: what a viewer watched, weighed by what each step has to do with the candidate."""

from collections.abc import Sequence

import tensorflow as tf
import tf_keras as keras

from training.layers.dice import Dice, DiceTower
from training.layers.inputs import History


class TargetAttention(keras.layers.Layer):
    """Σ_j a(s_j, c)·s_j over the real steps s_j of the viewer's history, for each candidate c.

    Zhou et al., "Deep Interest Network for Click-Through Rate Prediction" (KDD 2018), section 4.3, equation 3. The
    weights are no softmax, so that their sum tells how strong the interest is. The activation unit a reads
    concat(q, k, q − k, q ⊙ k) of the candidate q and the step k, both projected to one size; its first layer is

        W₁q + W₂k + W₃(q − k) + W₄(q ⊙ k) + b = (W₁ + W₃)q + (W₂ − W₃)k + W₄(q ⊙ k) + b

    so W₁ + W₃ and W₂ − W₃ are learnt as one matrix each, A and B: the same functions. In serving, where all candidates
    share the steps, the products are one product too:

        Aq + Bk_j + W₄(q ⊙ k_j) + b = (A + W₄ diag(k_j))q + (Bk_j + b)

    whose matrices side by side over j are made once for the viewer. In training the unit runs over the pairs of a
    candidate and a real step, and over no padding, which Dice would else take for data. Aq and Bk are computed for each
    pair there: rows of `size` numbers to copy, and not of the first layer's units, weigh more than the products.

    Args:
        size: Numbers that candidates and steps are projected to.
        units: Units of the activation unit's layers.
    """

    def __init__(self, size: int, units: Sequence[int]) -> None:
        super().__init__(name="target_attention")
        self.query = keras.layers.Dense(size)
        self.key = keras.layers.Dense(size)
        self.of_query = self.add_weight("of_query_kernel", (size, units[0]))
        self.of_key = keras.layers.Dense(units[0])
        self.of_product = self.add_weight("of_product_kernel", (size, units[0]))
        self.first = Dice(units[0])
        self.rest = DiceTower(units[1:])
        self.score = keras.layers.Dense(1)

    def call(
        self, candidate: tf.Tensor, history: History, slate: tf.Tensor | None, training: bool = False
    ) -> tf.Tensor:
        """The candidates' part of the viewer's interests.

        Args:
            candidate: float32 [N, D_c].
            history: Of U viewers, steps [U, length, D].
            slate: Row of each candidate's viewer, int32 [N]; None = one viewer.
            training: See `Dice`.

        Returns:
            float32 [N, D]; zeros for a viewer without a real step.
        """
        query, key = self.query(candidate), self.key(history.steps)
        if slate is None:
            return self._of_one(query, key, history)
        return self._of_pairs(query, key, history, slate, training)

    def _of_one(self, query: tf.Tensor, key: tf.Tensor, history: History) -> tf.Tensor:
        """All candidates with the steps of one viewer, up to the last real one."""
        of_key = self.of_key(key)
        places = tf.range(1, tf.shape(key)[1] + 1)
        length = tf.maximum(tf.reduce_max(tf.where(history.mask[0], places, 0)), 1)
        matrices = key[0, :length, :, tf.newaxis] * self.of_product + self.of_query
        hidden = tf.einsum("nd,ldh->nlh", query, matrices) + of_key[:, :length]
        weights = tf.squeeze(self.score(self.rest(self.first(hidden))), axis=-1)
        real = tf.cast(history.mask[:, :length], tf.float32)
        return tf.matmul(weights * real, history.steps[0, :length])

    def _of_pairs(
        self, query: tf.Tensor, key: tf.Tensor, history: History, slate: tf.Tensor, training: bool
    ) -> tf.Tensor:
        """Each candidate with the real steps of its viewer, pair by pair."""
        shape = [tf.shape(query)[0], tf.shape(key)[1]]
        pairs = tf.cast(tf.where(tf.gather(history.mask, slate)), tf.int32)
        candidate, place = tf.unstack(pairs, axis=1)
        q, k = tf.gather(query, candidate), tf.gather(_rows(key), tf.gather(slate, candidate) * shape[1] + place)
        of_both = tf.matmul(tf.concat([q, q * k], axis=-1), tf.concat([self.of_query, self.of_product], axis=0))
        hidden = self.first(of_both + self.of_key(k), training)
        scores = tf.squeeze(self.score(self.rest(hidden, training)), axis=-1)
        weights = tf.scatter_nd(pairs, scores, shape)
        return tf.squeeze(tf.matmul(weights[:, tf.newaxis], tf.gather(history.steps, slate)), axis=1)


def _rows(steps: tf.Tensor) -> tf.Tensor:
    """[U, length, D] → [U · length, D]."""
    return tf.reshape(steps, [-1, steps.shape[-1]])
