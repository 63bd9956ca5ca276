"""The settings of access: who may call, and how often."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AccessSettings:
    """Who may call, and how often.

    Attributes:
        tokens: The file of the bearer tokens; empty = whoever reaches the service may call it.
        rate: Calls a second of one caller whose token says nothing else, above 0; 0 = as many as it likes.
    """

    tokens: str
    rate: float


def access_problem(access: AccessSettings) -> str | None:
    """What is wrong with the settings, None when nothing is."""
    return None if rate_fits(access.rate) else f"rate: expected a number of 0 or more, received {access.rate!r}"


def rate_fits(rate: float) -> bool:
    """Whether a number is a rate, calls a second."""
    return 0 <= rate < math.inf
