"""LR: logistic regression over all features, one weight a feature and raw output.

As in Richardson, Dominowska and Ragno, "Predicting Clicks" (WWW 2007), equation 1:

    raw = b + Σ_j w_j x_j,    p = σ(raw)

over the standardised numbers, the keys of both sides (one-hot, so that their x is 1; of several keys and of the
history, their mean) and the configured crosses. A content vector enters through a projection that is learnt with it,
so it is linear too. `inputs.embedding` does not matter here. A sum over both sides cannot know which viewer likes
which room: that takes a feature of the pair, or a cross.
"""

from dataclasses import dataclass

from training.layers.blueprint import Blueprint
from training.models.ranking.fields import FieldRanker


@dataclass(frozen=True, slots=True)
class LrOptions:
    """Crosses of LR.

    Attributes:
        crosses: Names of a user's and a candidate's id feature, whose pairs have a weight of their own.
        buckets: Rows that the pairs of a cross are hashed into.
    """

    crosses: tuple[tuple[str, str], ...] = ()
    buckets: int = 65_536


class Lr(FieldRanker):
    """The linear part alone."""

    Options = LrOptions

    def __init__(self, blueprint: Blueprint, options: LrOptions) -> None:
        super().__init__(blueprint, factors=0, crosses=options.crosses, buckets=options.buckets)
