"""What the rankers that sum over features share: fields of both sides out of one table, and the linear part."""

from collections.abc import Mapping, Sequence

import tensorflow as tf

from training.layers.blueprint import Blueprint
from training.layers.embeddings import Embeddings
from training.layers.fields import Fields, SideFields, UserFields
from training.layers.hashed_crosses import HashedCrosses
from training.layers.linear import LinearSums
from training.models.ranking.base import Ranker


class FieldRanker(Ranker):
    """raw = prior + b + Σ_j w_j x_j + Σ_c w_c + `interactions`.

    A row of the table holds the k factors of an id and, behind them, its weights, one a raw output: the linear part
    and whatever else reads the ids cost one search and one gather together.

    Attributes:
        factors: k, how many numbers of a row are factors.
    """

    def __init__(
        self,
        blueprint: Blueprint,
        *,
        factors: int,
        crosses: Sequence[tuple[str, str]] = (),
        buckets: int = 1,
    ) -> None:
        """Makes inputs and linear part.

        Args:
            blueprint: What the data told.
            factors: Numbers of an id's vector beside its weights.
            crosses: Names of a user's and a candidate's id feature, whose pairs have weights too.
            buckets: Rows a cross.
        """
        super().__init__(blueprint, None)
        self.factors = factors
        outputs, sizes = len(self.priors), blueprint.sizes
        self.embeddings = Embeddings(
            blueprint.fitted.vocabularies, size=factors + outputs, unseen_rows=sizes.unseen_rows, zeros=outputs
        )
        self.user_inputs = UserFields(blueprint, self.embeddings)
        self.candidate_inputs = SideFields(blueprint.candidate_layout, blueprint, self.embeddings)
        self.linear = LinearSums(outputs)
        self.crosses = HashedCrosses(self.layout, crosses, buckets=buckets, outputs=outputs) if crosses else None

    def interactions(self, user: Fields, candidate: Fields, slate: tf.Tensor | None) -> tf.Tensor:
        """What the model adds to the linear part.

        Args:
            user: Fields of U viewers, their vectors of k numbers.
            candidate: Fields of N candidates.
            slate: Row of each candidate's viewer, int32 [N]; None = one viewer.

        Returns:
            float32 [N, outputs].
        """
        raise NotImplementedError

    def raw(
        self, tensors: Mapping[str, tf.Tensor], slate: tf.Tensor | None = None, step: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Packed tensors → the raw outputs [N, outputs]; `step` is the training step, None outside training."""
        user, candidate = self.user_inputs(tensors, step), self.candidate_inputs(tensors, step)
        (user, of_user), (candidate, of_candidate) = user.split(self.factors), candidate.split(self.factors)
        raw = self.priors + self.linear(of_user, of_candidate, slate)
        if self.crosses:
            raw += self.crosses(tensors, slate)
        if self.factors:
            raw += self.interactions(user, candidate, slate)
        return raw

    def penalty(self, inputs: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """That of the base, with the weights of the crosses that the batch holds."""
        penalty = super().penalty(inputs)
        return penalty + self.embedding_l2 * self.crosses.squares(inputs, inputs["slate"]) if self.crosses else penalty
