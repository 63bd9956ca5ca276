"""Evaluation of rankers on impressions whose right answer is known."""

from collections.abc import Sequence

import numpy as np
import pytest

from feature_service.features.layout import Layout
from training.data.samples import Candidates, Samples, Slates
from training.evaluate import CONVERSION, LEAST_POSITIVES, evaluate_ranking
from training.heads import HEAD_NAMES
from training.ranking_baselines import ranking_baselines


def samples_of(
    users: Sequence[int],
    labels: dict[str, Sequence[float]],
    *,
    masked: dict[str, Sequence[int]] | None = None,
    sampled: Sequence[int] = (),
    streamer: Sequence[int] | None = None,
) -> Samples:
    """A slate of one impression for each user named; heads without labels are masked, as are the rows in `masked`."""
    rows = len(users)
    label = np.zeros((rows, len(HEAD_NAMES)), np.float32)
    mask = np.zeros((rows, len(HEAD_NAMES)), bool)
    for head, values in labels.items():
        label[:, HEAD_NAMES.index(head)] = values
        mask[:, HEAD_NAMES.index(head)] = True
    for head, hidden in (masked or {}).items():
        mask[list(hidden), HEAD_NAMES.index(head)] = False
    drawn = np.zeros(rows, bool)
    drawn[list(sampled)] = True
    keys = np.arange(rows, dtype=np.int64)
    return Samples(
        Layout((), tuple(labels)),
        Slates({}, keys, np.array(users, np.int64)),
        Candidates(
            tensors={},
            slate=np.arange(rows, dtype=np.int32),
            room=keys,
            streamer=np.array(streamer if streamer is not None else keys, np.int64),
            position=np.zeros(rows, np.int16),
            propensity=np.zeros(rows, np.float32),
            sampled=drawn,
            censored=np.zeros(rows, bool),
            labels=label,
            mask=mask,
        ),
    )


def column(*values: float) -> np.ndarray:
    return np.array(values, np.float32)[:, None]


def test_a_head_is_judged_by_auc_gauc_and_log_loss() -> None:
    samples = samples_of([7, 7, 9, 9], {"enter": [1, 0, 1, 0]})
    report = evaluate_ranking(column(0.9, 0.8, 0.3, 0.4), samples).heads["enter"]
    # AUC: .9 beats .8 and .4, .3 beats none: 2 of 4. GAUC: user 7 right, user 9 wrong.
    assert report.metrics["auc"].value == pytest.approx(0.5)
    assert report.metrics["gauc"].value == pytest.approx(0.5)
    expected = -np.mean(np.log([0.9, 0.2, 0.3, 0.6]))
    assert report.metrics["log_loss"].value == pytest.approx(expected, rel=1e-6)
    assert report.metrics["normalised_entropy"].value == pytest.approx(expected / np.log(2), rel=1e-6)
    assert (report.impressions, report.positives) == (4, 2)


def test_masked_labels_do_not_count() -> None:
    samples = samples_of([1, 1, 1, 1], {"enter": [1, 0, 1, 0]}, masked={"enter": [2]})
    report = evaluate_ranking(column(0.9, 0.2, 0.0, 0.1), samples).heads["enter"]
    assert report.metrics["auc"].value == 1.0
    assert (report.impressions, report.positives) == (3, 1)


def test_conversion_is_judged_on_entered_impressions_by_the_quotient() -> None:
    # Entered: rows 0, 1, 2 with p(watch | enter) = .4/.8, .3/.5, .1/.9; the watched one has the largest.
    samples = samples_of([1, 1, 1, 1], {"enter": [1, 1, 1, 0], "long_watch": [0, 1, 0, 0]})
    predictions = np.array([[0.8, 0.4], [0.5, 0.3], [0.9, 0.1], [0.5, 0.5]], np.float32)
    heads = evaluate_ranking(predictions, samples).heads
    assert heads[CONVERSION].impressions == 3
    assert heads[CONVERSION].metrics["auc"].value == 1.0
    assert heads[CONVERSION].calibration[0].predicted == pytest.approx(0.1 / 0.9)
    # Among all exposures row 3 (.5) and row 0 (.4) stand above the watched one (.3): 1 of 3 pairs.
    assert heads["long_watch"].metrics["auc"].value == pytest.approx(1 / 3)


def test_an_amount_is_judged_in_its_unit() -> None:
    samples = samples_of([1, 2, 3], {"watch_time": [10, 20, 60]})
    report = evaluate_ranking(column(20, 20, 40), samples).heads["watch_time"]
    assert report.metrics["mae"].value == pytest.approx(10)
    assert report.metrics["rmse"].value == pytest.approx(np.sqrt(500 / 3))
    assert report.metrics["xauc"].value == pytest.approx(2.5 / 3)


def test_predictions_may_hold_fewer_heads_than_the_samples() -> None:
    samples = samples_of([1, 1], {"enter": [1, 0], "like": [0, 1]})
    report = evaluate_ranking(column(0.1, 0.9), samples, heads=["like"])
    assert set(report.heads) == {"like"}
    assert report.heads["like"].metrics["auc"].value == 1.0


def test_a_single_class_has_no_auc_but_a_log_loss() -> None:
    report = evaluate_ranking(column(0.5, 0.5), samples_of([1, 2], {"gift": [0, 0]})).heads["gift"]
    assert report.metrics["auc"].value is None
    assert report.metrics["auc"].interval is None
    assert report.metrics["log_loss"].value == pytest.approx(np.log(2))


@pytest.mark.parametrize(("positives", "comparable"), [(LEAST_POSITIVES - 1, False), (LEAST_POSITIVES, True)])
def test_a_head_is_comparable_from_100_positives_on(positives: int, comparable: bool) -> None:
    rows = 2 * LEAST_POSITIVES + 1
    samples = samples_of(range(rows), {"like": [1] * positives + [0] * (rows - positives)})
    assert evaluate_ranking(np.full((rows, 1), 0.5, np.float32), samples).heads["like"].comparable is comparable


def test_predictions_that_are_not_finite_are_counted_and_not_judged() -> None:
    report = evaluate_ranking(column(np.nan, 0.5, np.inf), samples_of([1, 2, 3], {"enter": [1, 0, 1]})).heads["enter"]
    assert report.non_finite == 2
    assert report.metrics == {}


def test_impressions_that_nobody_saw_are_counted() -> None:
    report = evaluate_ranking(column(0.9, 0.1, 0.1), samples_of([1, 1, 2], {"enter": [1, 0, 0]}, sampled=[1, 2]))
    assert (report.impressions, report.sampled, report.users) == (3, 2, 2)


def test_the_interval_holds_the_value_and_repeats_with_the_seed() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random(400)
    samples = samples_of(rng.integers(0, 50, 400).tolist(), {"enter": (rng.random(400) < truth).tolist()})
    predictions = truth.astype(np.float32)[:, None]
    first, second = (evaluate_ranking(predictions, samples, seed=4).heads["enter"] for _ in range(2))
    assert first == second
    for estimate in first.metrics.values():
        assert estimate.value is not None
        assert estimate.interval is not None
        assert estimate.interval.low < estimate.interval.high
    auc = first.metrics["auc"]
    assert auc.interval is not None
    assert auc.interval.low < (auc.value or 0) < auc.interval.high


def test_noise_of_resampling_does_not_lift_the_calibration_error() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random(2_000)
    samples = samples_of(range(2_000), {"enter": (rng.random(2_000) < truth).tolist()})
    error = evaluate_ranking(truth.astype(np.float32)[:, None], samples).heads["enter"].metrics["ece"]
    assert error.interval is not None
    assert error.value is not None
    assert error.interval.low < error.value / 2  # The draws themselves lie above: they have the noise twice.


def test_a_shape_that_does_not_fit_is_named() -> None:
    with pytest.raises(ValueError, match=r"expected shape \(2, 1\) \(impressions, heads\), received \(2, 3\)"):
        evaluate_ranking(np.zeros((2, 3), np.float32), samples_of([1, 2], {"enter": [1, 0]}))


def test_popularity_predicts_the_streamers_smoothed_rate_in_training() -> None:
    # Overall rate 1/2; streamer 5: 20 of 20; streamer 6: 0 of 20; with a prior of 20 impressions 30/40 and 10/40.
    training = samples_of(range(40), {"enter": [1] * 20 + [0] * 20}, streamer=[5] * 20 + [6] * 20)
    test = samples_of([1, 2, 3], {"enter": [1, 0, 0]}, streamer=[6, 99, 5])
    baselines = ranking_baselines(training, test, ["enter"])
    assert baselines["popularity"][:, 0] == pytest.approx([0.25, 0.5, 0.75])
    assert sorted(baselines["random"][:, 0]) == pytest.approx([0.25, 0.5, 0.75])


def test_popularity_knows_nothing_of_masked_labels() -> None:
    training = samples_of([1, 2], {"enter": [1, 1]}, streamer=[5, 5], masked={"enter": [0, 1]})
    baselines = ranking_baselines(training, samples_of([1], {"enter": [1]}, streamer=[5]), ["enter"])
    assert baselines["popularity"].tolist() == [[0.0]]
