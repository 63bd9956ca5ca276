"""GBDT+LR: boosted trees as feature crosses of a logistic regression.

He et al., "Practical Lessons from Predicting Clicks on Ads at Facebook" (ADKDD 2014), section 3: a row falls on one
leaf of each tree, and the leaves' one-hot vectors are the features of a linear model,

    raw = b + Σ_j w_j x_j + Σ_t w_{t, leaf_t(x)},    p = σ(raw)

with one weight a leaf and raw output beside the linear part of `lr`. The trees are grown before the first step, on
raw features, and stay; LR is then learnt by gradient, on later samples than the trees were grown on, for which a
leaf is no memory of its own labels. We depart in starting a leaf's weight from what its tree adds to the logit, so
that training goes on from the boosted trees, and in letting validation choose how many trees there are.

Heads share the leaves: a tree that was grown for one head is a feature of all.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from training.boosting import MOST_LEAVES, Boosting, Forest, Rows, grow
from training.data.examples import Examples
from training.data.samples import Samples
from training.heads import HEAD_NAMES, HEADS
from training.layers.blueprint import Blueprint
from training.layers.leaves import LeafWeights
from training.layers.tree_columns import TreeColumns
from training.layers.trees import Trees
from training.models.ranking.fields import FieldRanker
from training.models.signatures import tensor_specs


@dataclass(frozen=True, slots=True)
class GbdtLrOptions:
    """How the trees of GBDT+LR are grown.

    Attributes:
        trees_of: Heads that get a forest each; none named = every head that is a probability.
        trees: Trees a forest, at most.
        leaves: Leaves a tree, at most, 2 to 32.
        shrinkage: What a tree adds of its fit.
        least_rows: A leaf has at least so many rows.
        column_share: Share of the columns that a tree is grown on.
        patience: Trees without a better validation loss after which no more are grown.
        tree_share: Share of the training slates, the earlier ones, that trees are grown on; LR is learnt on the others,
            and at 1 on all.
        most_codes: Id columns whose vocabulary has at most so many keys are read by trees.
    """

    trees_of: tuple[str, ...] = ()
    trees: int = 100
    leaves: int = 12
    shrinkage: float = 0.1
    least_rows: int = 20
    column_share: float = 0.8
    patience: int = 20
    tree_share: float = 0.5
    most_codes: int = 64

    def __post_init__(self) -> None:
        """Checks what is more than a type.

        Raises:
            ValueError: An option is out of its range.
        """
        if not 2 <= self.leaves <= MOST_LEAVES:
            raise ValueError(f"leaves: expected 2 to {MOST_LEAVES}, received {self.leaves}")
        for name in ("column_share", "tree_share"):
            if getattr(self, name) > 1:
                raise ValueError(f"{name}: expected a share, at most 1, received {getattr(self, name)}")
        for head in self.trees_of:
            if head not in HEADS or not HEADS[head].binary:
                raise ValueError(f"trees_of: expected heads that are probabilities, received {head!r}")


class GbdtLr(FieldRanker):
    """The linear part and the weights of the leaves."""

    Options = GbdtLrOptions

    def __init__(self, blueprint: Blueprint, options: GbdtLrOptions) -> None:
        super().__init__(blueprint, factors=0)
        self.options: GbdtLrOptions = options
        self.trees_of = options.trees_of or tuple(head for head in self.layout.heads if HEADS[head].binary)
        if not self.trees_of or not set(self.trees_of) <= set(self.layout.heads):
            received = list(self.layout.heads)
            raise ValueError(f"trees_of: expected {list(self.trees_of) or 'a probability'} among the heads {received}")
        trees = len(self.trees_of) * options.trees
        self.columns = TreeColumns(blueprint, options.most_codes)
        self.trees = Trees(trees, options.leaves)
        self.leaf_weights = LeafWeights(trees, options.leaves, len(self.priors))
        self._learnt_from_ms = np.iinfo(np.int64).min

    def prepare(self, training: Samples, validation: Samples, batch_slates: int) -> None:
        """Grows the trees on the earlier training slates, and leaves the later ones to LR."""
        times = np.append(training.slates.time_ms, training.slates.time_ms[-1] + 1)
        until_ms = int(times[round(self.options.tree_share * len(training.slates.user))])
        if self.options.tree_share < 1:
            self._learnt_from_ms = until_ms
        earlier = training.between(int(times[0]), until_ms)
        self.columns.start(training)
        forests = self._grow(earlier, validation, batch_slates)
        self.trees.start(Forest.beside(list(forests.values())))
        self.leaf_weights.start({self.places[head].start: forest for head, forest in forests.items()})

    def raw(
        self, tensors: Mapping[str, tf.Tensor], slate: tf.Tensor | None = None, step: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Packed tensors → the raw outputs [N, outputs]; `step` is the training step, None outside training."""
        leaves = self.trees(self.columns.user(tensors), self.columns.candidate(tensors, slate), slate)
        return super().raw(tensors, slate, step) + self.leaf_weights(leaves)

    def head_losses(self, inputs: Mapping[str, tf.Tensor], raw: tf.Tensor) -> dict[str, tf.Tensor]:
        """The masked mean loss of each head, scalars; slates that the trees were grown on are masked too."""
        later = tf.gather(inputs["time_ms"] >= self._learnt_from_ms, inputs["slate"])
        return super().head_losses({**inputs, "mask": inputs["mask"] & later[:, tf.newaxis]}, raw)

    def _grow(self, training: Samples, validation: Samples, batch_slates: int) -> dict[str, Forest]:
        """A forest of each of `trees_of`; the draws of columns follow the seed of the process."""
        options = self.options
        boosting = Boosting(
            trees=options.trees,
            leaves=options.leaves,
            shrinkage=options.shrinkage,
            least_rows=options.least_rows,
            column_share=options.column_share,
            patience=options.patience,
        )
        values = [self._values(samples, batch_slates) for samples in (training, validation)]
        forests: dict[str, Forest] = {}
        for head in self.trees_of:
            rows, held_out = _labelled(training, values[0], head), _labelled(validation, values[1], head)
            start = float(self.priors[self.places[head].start])
            seed = int(tf.random.uniform((), maxval=tf.int32.max, dtype=tf.int32))
            forests[head] = grow(rows, held_out, boosting, start=start, seed=seed)
        return forests

    def _values(self, samples: Samples, batch_slates: int) -> NDArray[np.float32]:
        """The values that the trees read of each impression, float32 [N, D]; NaN = missing."""
        examples, specs = Examples.of(samples, self.layout), tensor_specs(self.layout)

        @tf.function(input_signature=[specs, tf.TensorSpec([None], tf.int32)])
        def read(tensors: dict[str, tf.Tensor], slate: tf.Tensor) -> tf.Tensor:
            user, candidate = self.columns.user(tensors), self.columns.candidate(tensors, slate)
            return tf.concat([tf.gather(user, slate), candidate], axis=-1)

        parts = [
            read({name: tf.constant(batch[name]) for name in specs}, tf.constant(batch["slate"])).numpy()
            for batch in examples.batches(batch_slates, np.arange(len(examples)))
        ]
        values = np.concatenate(parts)
        return np.where(np.isfinite(values), values, np.float32(np.nan))


def _labelled(samples: Samples, values: NDArray[np.float32], head: str) -> Rows:
    """The rows whose label of the head exists."""
    column = HEAD_NAMES.index(head)
    exists = samples.candidates.mask[:, column]
    return Rows(values[exists], samples.candidates.labels[exists, column])
