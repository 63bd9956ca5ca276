"""Which candidates the gate lets pass."""

import numpy as np
import pytest

from training.bootstrap import Interval
from training.evaluate import Estimate, HeadReport, RankingReport
from training.gate import Measure, Tolerance, decide, output_problems, ranking_measures

SERVING = {"enter.auc": Measure(0.75), "enter.log_loss": Measure(0.50, higher_is_better=False)}
TOLERANCE = Tolerance(absolute=0.01, relative=0.02)


def candidate(auc: float | None = 0.75, log_loss: float | None = 0.50) -> dict[str, Measure]:
    return {"enter.auc": Measure(auc), "enter.log_loss": Measure(log_loss, higher_is_better=False)}


def test_a_model_as_good_as_the_serving_one_passes() -> None:
    decision = decide(candidate(), SERVING, tolerance=TOLERANCE)
    assert decision.accepted
    assert decision.reasons == ()


@pytest.mark.parametrize("worse", [candidate(auc=0.741), candidate(log_loss=0.509), candidate(auc=0.9, log_loss=0.1)])
def test_a_model_within_the_tolerance_passes(worse: dict[str, Measure]) -> None:
    assert decide(worse, SERVING, tolerance=TOLERANCE).accepted


@pytest.mark.parametrize(
    ("worse", "name"), [(candidate(auc=0.739), "enter.auc"), (candidate(log_loss=0.511), "enter.log_loss")]
)
def test_a_model_worse_beyond_the_tolerance_is_refused_by_name(worse: dict[str, Measure], name: str) -> None:
    decision = decide(worse, SERVING, tolerance=TOLERANCE)
    assert not decision.accepted
    (reason,) = decision.reasons
    assert reason.startswith(f"{name}: ")


@pytest.mark.parametrize(("auc", "accepted"), [(0.711, True), (0.709, False)])
def test_a_difference_that_sampling_explains_is_tolerated(auc: float, accepted: bool) -> None:
    serving = {"gift.auc": Measure(0.75, noise=0.04)}
    assert decide({"gift.auc": Measure(auc)}, serving, tolerance=TOLERANCE).accepted is accepted


def test_a_comparison_of_nothing_is_noted() -> None:
    # Recall has no number at all where fewer than ten rooms are on air.
    assert decide({}, {}).notes == ("not compared: the serving model has no number on these samples",)


def test_every_reason_is_given() -> None:
    assert len(decide(candidate(auc=0.5, log_loss=0.9), SERVING, tolerance=TOLERANCE).reasons) == 2


def test_the_first_model_passes_without_comparison() -> None:
    decision = decide(candidate(auc=0.5), None)
    assert decision.accepted
    assert decision.notes == ("no model serves: nothing to compare with",)


def test_a_first_model_with_a_problem_is_refused() -> None:
    decision = decide(candidate(), None, problems=["user_floats: no feature user.age@2"])
    assert not decision.accepted
    assert decision.reasons == ("user_floats: no feature user.age@2",)


def test_a_candidate_that_lacks_a_head_is_refused() -> None:
    decision = decide({"enter.auc": Measure(0.9)}, SERVING, tolerance=TOLERANCE)
    assert decision.reasons == ("enter.log_loss: the serving model has it, the candidate does not",)


def test_a_candidate_with_one_more_head_passes() -> None:
    assert decide(candidate() | {"gift.auc": Measure(0.5)}, SERVING, tolerance=TOLERANCE).accepted


def test_an_undefined_metric_of_the_candidate_is_refused() -> None:
    assert not decide(candidate(auc=None), SERVING, tolerance=TOLERANCE).accepted


def test_heads_with_too_few_positives_are_noted_and_not_compared() -> None:
    serving = {"gift.auc": Measure(0.9, comparable=False)}
    decision = decide({"gift.auc": Measure(0.5, comparable=False)}, serving)
    assert decision.accepted
    assert decision.notes == ("gift.auc: not compared, too few positives",)


def test_output_that_is_not_finite_is_named_and_counted() -> None:
    outputs = {"enter": np.array([0.1, np.nan, np.inf]), "like": np.array([0.1])}
    assert output_problems(outputs) == ["enter: expected finite numbers, received 2 of 3 that are not"]


def test_measures_of_a_report_know_their_direction_and_leave_calibration_out() -> None:
    metrics = {"auc": Estimate(0.7, Interval(0.625, 0.75)), "log_loss": Estimate(0.4), "ece": Estimate(0.01)}
    head = HeadReport("enter", 1000, 150, 0, comparable=True, metrics=metrics, calibration=())
    measures = ranking_measures(RankingReport("mmoe", 1000, 0, 10, {"enter": head}))
    assert measures["enter.auc"] == Measure(0.7, higher_is_better=True, noise=0.0625)
    assert measures["enter.log_loss"] == Measure(0.4, higher_is_better=False)
    assert len(measures) == 2
