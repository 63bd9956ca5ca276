"""Degraded: something that an answer had to do without, why, and what was done instead."""

from dataclasses import dataclass
from enum import StrEnum

from serving.errors import DeadlineExceededError


class CauseKind(StrEnum):
    """The kinds of causes, for counting."""

    LATE = "late"
    """It did not come in time."""
    FAILED = "failed"
    """It broke."""
    UNSERVED = "unserved"
    """No version of a model serves."""
    EMPTY = "empty"
    """Nothing was found."""
    BEHIND = "behind"
    """It may not be the newest."""


@dataclass(frozen=True, slots=True)
class Degraded:
    """Something that an answer had to do without.

    Attributes:
        stage: Where, for instance `recall.two_tower`.
        cause: Why, in words.
        fallback: What was done instead.
        kind: The kind of the cause.
    """

    stage: str
    cause: str
    fallback: str
    kind: CauseKind


def kind_of(error: BaseException) -> CauseKind:
    """The kind of an error's cause: a call that ran out of time was late, all else has failed."""
    return CauseKind.LATE if isinstance(error, DeadlineExceededError) else CauseKind.FAILED
