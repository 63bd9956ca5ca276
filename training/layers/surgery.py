"""Gradient surgery: what of the heads' gradients points against each other is taken out before they are added up."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

Gradient = Any
"""A tensor, the `tf.IndexedSlices` of a table, or None where a loss does not depend on the variable."""

_SALT = 23  # Beside the step, in the seed of the heads' order.


def joined(gradients: Sequence[Sequence[Gradient]], heads: int, step: tf.Tensor) -> list[Gradient]:
    """The gradients of several losses as one of each variable.

    Those of heads are projected over all variables that two heads or more have, taken as one long vector. Variables of
    one head alone take its gradient as it is.

    Args:
        gradients: Of each loss, of each variable.
        heads: So many of the losses, from the first on, are those of heads; others are added as they are.
        step: Number of the step, which seeds the order of projections, int64 scalar.
    """
    columns = [list(column) for column in zip(*gradients, strict=True)]
    shared = [sum(each is not None for each in column[:heads]) > 1 for column in columns]
    aligned = [_aligned(column) for column in columns]
    products = [
        tf.matmul(each.stacked[:heads], each.stacked[:heads], transpose_b=True)
        for each, is_shared in zip(aligned, shared, strict=True)
        if each and is_shared
    ]
    drawn = tf.random.stateless_uniform((heads, heads), tf.stack([step, tf.constant(_SALT, tf.int64)]))
    weights = projected(tf.add_n(products), tf.argsort(drawn)) if products else tf.ones(heads)
    weights = tf.concat([weights, tf.ones(len(gradients) - heads)], axis=0)
    return [
        each.summed(weights if is_shared else tf.ones_like(weights)) if each else None
        for each, is_shared in zip(aligned, shared, strict=True)
    ]


def projected(products: tf.Tensor, order: tf.Tensor) -> tf.Tensor:
    """How much of each head's gradient is left in the sum of all, after each was freed of its conflicts.

    For each g_i in turn against every other g_j in random order, if g_i·g_j < 0: g_i ← g_i − (g_i·g_j / ‖g_j‖²) g_j.
    Every g_i stays a sum Σ_l c_il g_l of the gradients as they were, so their products are all that is needed.

    References:
        Yu et al., "Gradient Surgery for Multi-Task Learning" (NeurIPS 2020, arXiv:2001.06782), algorithm 1: PCGrad.

    Args:
        products: g_i·g_j, float32 [heads, heads].
        order: A row a head: against whom it is projected first, second, …; int32 [heads, heads].

    Returns:
        Σ_i c_il, float32 [heads].
    """
    heads = int(order.shape[0] or 0)
    weights = tf.eye(heads)
    squares = tf.linalg.diag_part(products)
    for place in range(heads):
        other = order[:, place]
        product = tf.reduce_sum(weights * tf.gather(products, other), axis=1)
        conflict = tf.where(other == tf.range(heads), 0.0, tf.minimum(product, 0.0))
        taken = tf.math.divide_no_nan(conflict, tf.gather(squares, other))
        weights -= taken[:, tf.newaxis] * tf.one_hot(other, heads)
    return tf.reduce_sum(weights, axis=0)


class _Aligned:
    """The gradients of one variable, a row a loss: `stacked` is float32 [losses, numbers]."""

    def __init__(self, parts: Sequence[Any], shape: Any, rows: tf.Tensor | None) -> None:
        self._shape, self._rows = shape, rows
        known = next(part for part in parts if part is not None)
        filled = [tf.zeros_like(known) if part is None else part for part in parts]
        self.stacked = tf.stack([tf.reshape(part, [-1]) for part in filled])

    def summed(self, weights: tf.Tensor) -> Gradient:
        """Their sum with a weight a loss, float32 [losses]."""
        total = tf.reshape(tf.linalg.matvec(self.stacked, weights, transpose_a=True), self._shape)
        return total if self._rows is None else tf.IndexedSlices(total, self._rows)


def _aligned(column: Sequence[Gradient]) -> _Aligned | None:
    """The gradients of one variable; of a table those of the rows that any of them has. None where there is none."""
    known = [each for each in column if each is not None]
    if not known:
        return None
    if not all(isinstance(each, tf.IndexedSlices) for each in known):
        parts = [None if each is None else tf.convert_to_tensor(each) for each in column]
        return _Aligned(parts, tf.shape(known[0]), None)
    rows, places = tf.unique(tf.concat([each.indices for each in known], axis=0))
    places = iter(tf.split(places, [tf.shape(each.indices)[0] for each in known], num=len(known)))
    count, shape = tf.size(rows), tf.shape(known[0].values)
    parts = [
        None if each is None else tf.math.unsorted_segment_sum(each.values, next(places), count) for each in column
    ]
    return _Aligned(parts, tf.concat([[count], shape[1:]], axis=0), rows)
