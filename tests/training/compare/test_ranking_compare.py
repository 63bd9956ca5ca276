"""The comparison of rankers on a toy world: trained, judged, ablated, and set against each other."""

import json
from pathlib import Path

import pytest

from tests.training.worlds import ENCODINGS, toy_world
from training.compare.ranking.compare import Comparison, compare_rankers
from training.compare.ranking.cost import Cost
from training.compare.ranking.data import RankingData
from training.compare.ranking.plots import draw_rankers
from training.compare.ranking.settings import Settings
from training.compare.ranking.tables import cost_table, difference_tables, head_tables, notes, to_json
from training.data.split import Split
from training.evaluate import CONVERSION
from training.trained import TrainedError

DATA = RankingData(
    "Toy world",
    Split(*(toy_world(size, seed=size, start_ms=size * 1000).samples for size in (300, 301, 302))),
    ENCODINGS,
    {"enter": "entered", "long_watch": "watched", CONVERSION: "watched, given an enter"},
)
SETTINGS = Settings(
    rows=(),
    heads=("enter", "long_watch"),
    shared={"training": {"learning_rate": 0.02, "batch_slates": 64, "epochs": 2, "patience": 2}},
    rankers={"mmoe": {"options": {"experts": 2, "expert": [16], "tower": [8], "match": 8}}},
)


def compared(work: Path, settings: Settings = SETTINGS, drop: tuple[str, ...] = ()) -> Comparison:
    return compare_rankers(DATA, settings=settings, rows=("mmoe",), seeds=(1,), work=work, drop=drop)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def comparison(work: Path) -> Comparison:
    return compared(work, drop=("ids",))


def test_each_row_is_judged_on_every_head_that_is_reported(comparison: Comparison) -> None:
    assert list(comparison.rows) == ["mmoe", "mmoe without ids"]
    assert [table.title for table in head_tables(comparison)] == [
        title + f" ({positives:,} of {rows:,})"
        for title, (positives, rows) in {
            name: (found.report.positives, found.report.impressions)
            for head, name in DATA.reported.items()
            for found in comparison.rows["mmoe"].seeds_of(head)
        }.items()
    ]


def test_dropping_what_decides_costs_and_the_interval_says_so(comparison: Comparison) -> None:
    """Only the streamer's key tells who is watched long; content and title tell the category."""
    rows = {(row[0], row[1]): row[3] for row in difference_tables(comparison)[0].rows}
    cell = rows["watched, given an enter", "mmoe − mmoe without ids"]
    assert cell.startswith("+")
    assert "*" in cell


def test_each_row_has_its_cost(comparison: Comparison) -> None:
    cost = comparison.rows["mmoe"].costs[0]
    assert cost.impressions == 300 * 8
    assert min(cost.parameters, cost.epoch_s, cost.serving_us) > 0
    assert [row[0] for row in cost_table(comparison).rows] == list(comparison.rows)


def test_nets_of_a_row_cost_together_what_each_costs() -> None:
    assert Cost(10, 100, 1.0, 50.0) + Cost(5, 100, 3.0, 20.0) == Cost(15, 200, 4.0, 70.0)


def test_the_numbers_are_told_to_machines_too(comparison: Comparison) -> None:
    told = json.loads(json.dumps(to_json(comparison), allow_nan=False))
    assert told["impressions"] == {"training": 2400, "validation": 2408, "test": 2416}
    assert told["rows"]["mmoe"]["heads"]["enter"]["metrics"]["auc"]["interval"]["low"] > 0
    assert any("2,416 of 40 users" in note for note in notes(comparison))


def test_plots_are_drawn_of_heads_and_differences(comparison: Comparison, tmp_path: Path) -> None:
    assert [path.name for path in draw_rankers(comparison, tmp_path)] == [
        "auc-Toy-world.png",
        "differences-Toy-world.png",
    ]


def test_finished_runs_are_taken_as_they_are(comparison: Comparison, work: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in work.rglob("history.json")}
    again = compared(work)
    assert {path: path.stat().st_mtime_ns for path in work.rglob("history.json")} == before
    first, second = (each.rows["mmoe"].heads[0]["enter"].report.metrics for each in (comparison, again))
    assert first == second


def test_runs_of_other_settings_are_refused(comparison: Comparison, work: Path) -> None:
    other = Settings(rows=(), heads=SETTINGS.heads, shared={"training": {"epochs": 2}}, rankers=SETTINGS.rankers)
    with pytest.raises(TrainedError, match="expected a run of these settings and samples, received another"):
        compared(work, other)
