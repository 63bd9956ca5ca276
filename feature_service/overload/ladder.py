"""The quality ladder: what is done for an answer, from all to the least."""

from enum import IntEnum

STEPS = (0.5, 0.65, 0.8, 0.9)
"""Utilisation (in flight by the limit) from which on an answer stands a rung lower."""


class Rung(IntEnum):
    """How good an answer is; each rung leaves out more than the one before."""

    FULL = 1
    """All of it."""
    FEWER_RANKED = 2
    """Only the first of the candidates are ranked."""
    NO_RERANK = 3
    """Fewer are ranked, and the slate is in the order of their scores."""
    RECALL_ORDER = 4
    """Nothing is ranked: the slate is in the order on which the channels agree."""
    HOT = 5
    """What is hot, without asking anybody."""


def rung_at(utilisation: float) -> Rung:
    """The rung of an answer that begins at that utilisation, 0 to 1."""
    return Rung(Rung.FULL + sum(utilisation >= step for step in STEPS))
