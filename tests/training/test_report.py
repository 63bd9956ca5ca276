"""The evaluation report as files and in a terminal."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from training.bootstrap import Interval
from training.evaluate import CONVERSION, CalibrationPoint, Estimate, HeadReport, RankingReport
from training.evaluate_recall import RecallReport, Segment
from training.report import Evaluation, print_report, write_report

PNG = b"\x89PNG"


def estimate(value: float) -> Estimate:
    return Estimate(value, Interval(value - 0.01, value + 0.02))


def head(name: str, auc: float | None, *, positives: int = 200, non_finite: int = 0) -> HeadReport:
    gauc = Estimate(None) if auc is None else estimate(auc - 0.1)
    metrics = {"auc": Estimate(None) if auc is None else estimate(auc), "gauc": gauc, "log_loss": estimate(0.5)}
    calibration = (CalibrationPoint(500, 0.1, 0.12), CalibrationPoint(500, 0.4, 0.3))
    return HeadReport(name, 1_000, positives, non_finite, positives >= 100, metrics, calibration)


def amount() -> HeadReport:
    metrics = {"mae": Estimate(30.5), "xauc": Estimate(0.61)}
    return HeadReport("watch_time", 200, 200, 0, comparable=True, metrics=metrics, calibration=())


def recall() -> RecallReport:
    def by_k(value: float) -> dict[str, Estimate]:
        return {f"{metric}@{k}": estimate(value * k / 5) for metric in ("recall", "ndcg", "hit_rate") for k in (1, 5)}

    def segments(value: float) -> dict[str, dict[str, Estimate]]:
        return {"all": by_k(value), "new": by_k(value / 2), "repeat": {}}

    return RecallReport(
        cases_given=5_000,
        cases=2_000,
        users=800,
        unknown_rooms=7,
        targets_added=3,
        candidates_mean=66.25,
        candidates_min=41,
        ks=(1, 5),
        ks_left_out=(10,),
        segments={"all": Segment(2_000, True), "new": Segment(60, False), "repeat": Segment(0, False)},
        metrics={"two_tower": segments(0.6), "popularity": segments(0.3)},
    )


@pytest.fixture
def evaluation() -> Evaluation:
    ranker = RankingReport(
        "mmoe",
        1_000,
        250,
        80,
        {"enter": head("enter", 0.8), "gift": head("gift", None, positives=9), "watch_time": amount()},
    )
    esmm = RankingReport("esmm", 1_000, 250, 80, {"enter": head("enter", 0.79), CONVERSION: head(CONVERSION, 0.7)})
    return Evaluation({"data": "a toy"}, (ranker, esmm), recall())


def test_json_holds_every_number(evaluation: Evaluation, tmp_path: Path) -> None:
    write_report(evaluation, tmp_path)
    values = json.loads((tmp_path / "report.json").read_text())
    assert values["recall"]["metrics"]["two_tower"]["new"]["recall@5"]["value"] == pytest.approx(0.3)
    assert values["rankings"][0]["heads"]["enter"]["metrics"]["auc"]["interval"] == {
        "low": pytest.approx(0.79),
        "high": pytest.approx(0.82),
    }
    assert values["rankings"][0]["heads"]["gift"]["metrics"]["auc"]["value"] is None


def test_markdown_puts_scorers_beside_each_other(evaluation: Evaluation, tmp_path: Path) -> None:
    lines = write_report(evaluation, tmp_path).read_text().splitlines()
    assert "| scorer | recall@1 | recall@5 | ndcg@5 | hit_rate@5 |" in lines
    assert (
        "| popularity | 0.0600 [0.0500, 0.0800] | 0.3000 [0.2900, 0.3200] | 0.3000 [0.2900, 0.3200]"
        " | 0.3000 [0.2900, 0.3200] |"
    ) in lines
    assert "| enter | esmm | 1,000 | 200 | 0.7900 [0.7800, 0.8100] | 0.6900 [0.6800, 0.7100] " in "\n".join(lines)


def test_markdown_says_what_a_reader_must_know(evaluation: Evaluation, tmp_path: Path) -> None:
    text = write_report(evaluation, tmp_path).read_text()
    for said in (
        "- data: a toy",
        "2,000 of 5,000 cases, of 800 users.",
        "66.2 on average, 41 at least.",
        "k = 10 left out: more than a tenth of the candidates.",
        "3 targets were not on air",
        "7 cases left out",
        "250 impressions were not seen but drawn",
    ):
        assert said in text


def test_what_is_undefined_or_too_small_is_marked(evaluation: Evaluation, tmp_path: Path) -> None:
    text = write_report(evaluation, tmp_path).read_text()
    assert "| gift \\* | mmoe | 1,000 | 9 | n/a | n/a | 0.5000 [0.4900, 0.5200] |" in text
    assert "\\* fewer than 100 positives (or negatives): not to be compared." in text
    assert "Fewer than 100 cases: not to be compared." in text


def test_plots_are_drawn_and_shown(evaluation: Evaluation, tmp_path: Path) -> None:
    text = write_report(evaluation, tmp_path).read_text()
    for name in ("recall.png", "gauc.png", "calibration-mmoe.png", "calibration-esmm.png"):
        assert f"({name})" in text
        assert (tmp_path / name).read_bytes().startswith(PNG)


def test_terminal_of_80_columns_shows_every_cell(evaluation: Evaluation) -> None:
    screen = io.StringIO()
    print_report(evaluation, Console(file=screen, width=80))
    rows = [line.split() for line in screen.getvalue().splitlines()]
    assert ["two_tower", "0.120", "0.600", "0.600", "0.600"] in rows
    assert ["long_watch|enter", "esmm", "200", "0.700", "0.600", "0.500"] in rows
    assert ["gift", "*", "mmoe", "9", "n/a", "n/a", "0.500"] in rows
    assert ["watch_time", "mmoe", "200", "30.500", "0.610"] in rows
    assert "…" not in screen.getvalue()


def test_a_run_without_recall_has_no_recall_section(evaluation: Evaluation, tmp_path: Path) -> None:
    text = write_report(Evaluation({}, evaluation.rankings), tmp_path).read_text()
    assert "Recall" not in text
    assert not (tmp_path / "recall.png").exists()


def test_predictions_that_are_not_finite_are_said(tmp_path: Path) -> None:
    broken = HeadReport("like", 10, 5, 2, comparable=False, metrics={}, calibration=())
    text = write_report(Evaluation({}, (RankingReport("mmoe", 10, 0, 1, {"like": broken}),)), tmp_path).read_text()
    assert "mmoe, like: 2 predictions are not finite." in text
