"""What the arms are worth: means per viewer, differences with intervals, and how far the bound is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from training.bootstrap import Interval, bootstrap, interval
from training.closed_loop.loop import Outcomes
from training.data.simulation.people import Floats, Ints

REPLICATES = 2_000
MEASURES = ("watch_s", "worth", "gifts", "slates", "came_back")


@dataclass(frozen=True, slots=True)
class ArmMeasure:
    """One measure of one arm.

    Attributes:
        mean: Per viewer.
        gain: Relative difference to the baseline's mean.
        interval: Of the gain, 95 %, viewers drawn anew; None for the baseline itself.
        reached: Share of the way from the baseline to the bound; nan where the bound does not lie above.
    """

    mean: float
    gain: float
    interval: Interval | None
    reached: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """The arms beside each other.

    Attributes:
        viewers: Viewers of each arm.
        measures: By measure and arm.
        short: Slates of the stack that had to be filled up.
        degraded: Answers of the stack that had to do without something.
        hourly: By measure: the arm whose ranker goes on, told against the one whose ranker does not; empty = none does.
        versions: The versions that the one was served by in turn.
        refused: Steps that the gate refused.
    """

    viewers: Mapping[str, int]
    measures: Mapping[str, Mapping[str, ArmMeasure]]
    short: int
    degraded: int
    hourly: Mapping[str, ArmMeasure]
    versions: tuple[int, ...]
    refused: int


def values_of(outcomes: Outcomes, since_ms: int) -> dict[str, Floats]:
    """The measures of each viewer, float64 [users].

    `worth` is that of the mean slate, nan of viewers without one; `came_back` is whether a slate was asked for since
    `since_ms`.
    """
    came_back = (outcomes.last_slate_ms >= since_ms).astype(np.float64)
    worth = np.full(len(came_back), np.nan)
    return {
        "watch_s": outcomes.watch_s,
        "worth": np.divide(outcomes.worth, outcomes.slates, out=worth, where=outcomes.slates > 0),
        "gifts": outcomes.gifts,
        "slates": outcomes.slates,
        "came_back": came_back,
    }


def compare_measures(
    names: Sequence[str],
    arm: Ints,
    values: Mapping[str, Floats],
    before: Mapping[str, Floats],
    *,
    baseline: str,
    bound: str,
) -> dict[str, dict[str, ArmMeasure]]:
    """Compares the arms in each measure; arguments as of `compare_arms`, by measure."""
    return {
        measure: compare_arms(names, arm, values[measure], before[measure], baseline=baseline, bound=bound)
        for measure in MEASURES
    }


def compare_arms(
    names: Sequence[str], arm: Ints, values: Floats, before: Floats, *, baseline: str, bound: str
) -> dict[str, ArmMeasure]:
    """Compares the arms in one measure.

    What viewers did before the loop began explains much of how they differ, and nothing of what the arms do: it is
    taken off (Deng et al., "Improving the Sensitivity of Online Controlled Experiments by Utilizing Pre-Experiment
    Data", WSDM 2013, section 3: CUPED, y − θ (x − mean x) with θ = cov(x, y) / var(x)).

    Args:
        names: Of the arms.
        arm: Number of each viewer's arm, int64 [users].
        values: The measure, float64 [users]; viewers of whom it is nan are left out.
        before: The same before the loop, float64 [users]; nan = nothing is known.
        baseline: The arm that gains are told against.
        bound: The arm that bounds what can be reached.
    """
    known = np.isfinite(values)
    arm, values, before = arm[known], values[known], np.nan_to_num(before[known])
    variance = before.var()
    theta = ((before - before.mean()) * (values - values.mean())).mean() / variance if variance > 0 else 0.0
    adjusted = values - theta * (before - before.mean())
    member = np.stack([arm == number for number in range(len(names))], axis=1).astype(np.float64)
    first, last = names.index(baseline), names.index(bound)

    def means(counts: Ints) -> Floats:
        return (counts @ (member * adjusted[:, None])) / np.maximum(counts @ member, 1e-9)

    def gains(counts: Ints) -> Floats:
        found = means(counts)
        return found / found[first] - 1 if found[first] else np.full(len(found), np.nan)

    every = np.ones(len(arm), np.int64)
    mean, gain, draws = means(every), gains(every), bootstrap(gains, len(arm), 0, REPLICATES)
    room = mean[last] - mean[first]
    return {
        name: ArmMeasure(
            float(mean[number]),
            float(gain[number]),
            None if name == baseline else interval(draws[:, number]),
            float((mean[number] - mean[first]) / room) if room > 0 else np.nan,
        )
        for number, name in enumerate(names)
    }
