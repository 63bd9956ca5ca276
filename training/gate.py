"""The gate: whether a candidate model may replace the one that serves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.evaluate import Estimate, RankingReport
from training.evaluate_recall import RecallReport

_HIGHER_IS_BETTER = {"auc": True, "gauc": True, "xauc": True, "log_loss": False, "mae": False}
"""What is compared of each head. Calibration error is not: it is small and noisy, and log loss pays for it already."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How much worse a candidate may be; differences that sampling explains are tolerated in any case.

    Attributes:
        absolute: Of what lies in [0, 1] and should be high (AUC, recall, NDCG).
        relative: Of what has a unit and should be low (log loss, mean error), as a share of the serving model's.
    """

    absolute: float = 0.01
    relative: float = 0.02


@dataclass(frozen=True, slots=True)
class Measure:
    """One number that the gate compares.

    Attributes:
        value: None where it is undefined.
        higher_is_better: False of losses and errors.
        comparable: Whether enough positives stand behind it.
        noise: Half the width of its 95 % interval; 0 if unknown. Two models on the same samples err alike, so their
            difference is hardly noisier than either: what is within it says nothing of the models.
    """

    value: float | None
    higher_is_better: bool = True
    comparable: bool = True
    noise: float = 0.0


@dataclass(frozen=True, slots=True)
class Decision:
    """The gate's answer.

    Attributes:
        accepted: Whether the candidate may be published.
        reasons: Why not, a line a problem; empty if it may.
        notes: What could not be compared, and why.
    """

    accepted: bool
    reasons: tuple[str, ...]
    notes: tuple[str, ...]


def decide(
    candidate: Mapping[str, Measure],
    serving: Mapping[str, Measure] | None,
    *,
    tolerance: Tolerance | None = None,
    problems: Sequence[str] = (),
) -> Decision:
    """Compares two models that were evaluated on the same samples.

    Args:
        candidate: By name, from `ranking_measures` or `recall_measures`.
        serving: Those of the serving model; None if there is none, or if `problems` forbid the candidate anyway.
        tolerance: The defaults of `Tolerance` if not given.
        problems: What forbids the candidate whatever its measures: `output_problems`, and what the catalogue says of a
            layout that it cannot fill.
    """
    reasons, notes = list(problems), []
    if serving is None and not problems:
        notes.append("no model serves: nothing to compare with")
    elif serving is not None and not serving:
        notes.append("not compared: the serving model has no number on these samples")
    for name, theirs in (serving or {}).items():
        reason, note = _compare(name, candidate.get(name), theirs, tolerance or Tolerance())
        reasons += reason
        notes += note
    return Decision(not reasons, tuple(reasons), tuple(notes))


def _compare(
    name: str, ours: Measure | None, theirs: Measure, tolerance: Tolerance
) -> tuple[Sequence[str], Sequence[str]]:
    """Reasons and notes of one measure."""
    if ours is None:
        return [f"{name}: the serving model has it, the candidate does not"], ()
    if not (ours.comparable and theirs.comparable) or theirs.value is None:
        return (), [f"{name}: not compared, too few positives"]
    if ours.value is None:
        return [f"{name}: undefined of the candidate, {theirs.value:.4f} of the serving model"], ()
    if theirs.higher_is_better:
        worse_by, allowed = theirs.value - ours.value, tolerance.absolute
    else:
        worse_by, allowed = ours.value - theirs.value, tolerance.relative * theirs.value
    allowed = max(allowed, theirs.noise)
    if worse_by <= allowed:
        return (), ()
    detail = f"worse by {worse_by:.4f}, tolerance {allowed:.4f}"
    return [f"{name}: {ours.value:.4f} of the candidate, {theirs.value:.4f} of the serving model ({detail})"], ()


def ranking_measures(report: RankingReport) -> dict[str, Measure]:
    """AUC, GAUC and log loss (of amounts: XAUC and mean absolute error) of each head as `head.metric`."""
    return {
        f"{name}.{metric}": Measure(estimate.value, _HIGHER_IS_BETTER[metric], head.comparable, _noise(estimate))
        for name, head in report.heads.items()
        for metric, estimate in head.metrics.items()
        if metric in _HIGHER_IS_BETTER
    }


def recall_measures(report: RecallReport, scorer: str) -> dict[str, Measure]:
    """Recall and NDCG of one scorer over all cases, at the largest k: the smaller ones are noisier."""
    metrics = report.metrics[scorer]["all"]
    names = [f"{metric}@{report.ks[-1]}" for metric in ("recall", "ndcg")] if report.ks else []
    comparable = report.segments["all"].comparable
    return {name: Measure(metrics[name].value, comparable=comparable, noise=_noise(metrics[name])) for name in names}


def _noise(estimate: Estimate) -> float:
    return (estimate.interval.high - estimate.interval.low) / 2 if estimate.interval else 0.0


def output_problems(outputs: Mapping[str, NDArray[np.floating]]) -> list[str]:
    """A line for each output (predictions, vectors) that holds a NaN or an infinity."""
    broken = {name: int((~np.isfinite(values)).sum()) for name, values in outputs.items()}
    return [
        f"{name}: expected finite numbers, received {count} of {outputs[name].size} that are not"
        for name, count in broken.items()
        if count
    ]
