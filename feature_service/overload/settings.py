"""The settings of overload: how long answers may take before less is done for each, and fewer are let in."""

from dataclasses import dataclass

MOST_IN_FLIGHT = 10_000
MOST_TARGET_MS = 60_000


@dataclass(frozen=True, slots=True)
class OverloadSettings:
    """How a process protects itself.

    Attributes:
        target_ms: Slower answers mean that too many run at once.
        least_in_flight: So many requests may always run at once.
        most_in_flight: Never more than so many.
        reports_in_flight: So many reports wait for the log at once.
        fewer_ranked: Candidates that are ranked on the second rung of the quality ladder.
    """

    target_ms: float
    least_in_flight: int
    most_in_flight: int
    reports_in_flight: int
    fewer_ranked: int


def overload_problem(overload: OverloadSettings) -> str | None:
    """What is wrong with the settings, None when nothing is."""
    if not 0 < overload.target_ms <= MOST_TARGET_MS:
        return f"target_ms: expected above 0, at most {MOST_TARGET_MS}, received {overload.target_ms!r}"
    least, most = overload.least_in_flight, overload.most_in_flight
    if not 1 <= least <= most <= MOST_IN_FLIGHT:
        return f"least_in_flight: expected 1 ≤ least ≤ most_in_flight ≤ {MOST_IN_FLIGHT}, received {least} and {most}"
    for name in ("reports_in_flight", "fewer_ranked"):
        if (value := getattr(overload, name)) < 1:
            return f"{name}: expected 1 or more, received {value!r}"
    return None
