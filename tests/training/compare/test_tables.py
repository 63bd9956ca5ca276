"""Tables, JSON and plots of a comparison."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.training.compare.recall_worlds import cases_of, enters_of, found_of, rooms_of
from training.compare.found import Found
from training.compare.measures import measure
from training.compare.ncf_table import NcfResult
from training.compare.plots import draw_comparison
from training.compare.questions import among_live
from training.compare.recall import Comparison
from training.compare.tables import cost_table, ncf_json, ncf_report, notes, quality_tables, to_json

ROOMS = rooms_of(*[(100 + number, number, 0, 1000) for number in range(20)])


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    """Two seeds of a channel that finds one target of two, first the one and then the other; one row of a rule."""
    questions = among_live(cases_of((10, 1, 0, 100, 0), (20, 2, 1, 103, 3)), ROOMS, enters_of((5, 1, 0)))

    def measured(found: Found):
        return measure(found, questions, ROOMS, np.array([0]))

    rows = {
        "two_tower": [measured(found_of([0], [4])), measured(found_of([0], [3]))],
        "popularity": [measured(found_of([1], [3]))],
    }
    return Comparison(
        "rooms on air", {"all": 2, "new": 1, "repeat": 1}, 20.0, 5, rows, ("two_tower",), (0.5, 1.0), (1, 1)
    )


def test_rows_are_means_of_seeds_with_half_their_range(comparison: Comparison) -> None:
    table = quality_tables(comparison)[0]
    assert table.header == ("scorer", "recall@1", "ndcg@10", "hit_rate@10")
    assert table.rows[0] == ("two_tower", "0.750 ±0.250", "0.750 ±0.250", "0.750 ±0.250")
    assert table.rows[1] == ("popularity", "0.500", "0.500", "0.500")


def test_new_and_repeat_streamers_have_tables_of_their_own(comparison: Comparison) -> None:
    _, new, repeat = quality_tables(comparison)
    assert new.rows[1][1] == "1.000"
    assert repeat.rows[1][1] == "0.000"


def test_cold_share_and_coverage_stand_beside_the_cost(comparison: Comparison) -> None:
    table = cost_table(comparison)
    cells = dict(zip(table.header, table.rows[1], strict=True))
    # Streamers 1 and 3 of twenty are shown, and nobody had entered either.
    assert (cells["coverage"], cells["cold share"]) == ("0.100", "1.000")


def test_notes_tell_what_recall_hands_over_and_ranking_keeps(comparison: Comparison) -> None:
    assert any(
        "hands over 0.750 ±0.250 of the targets; ranking puts 1.000 ±0.000" in note for note in notes(comparison)
    )


def test_json_has_the_numbers_of_every_seed(comparison: Comparison) -> None:
    found = json.loads(json.dumps(to_json(comparison)))
    assert [seed["quality"]["all"]["recall@1"] for seed in found["rows"]["two_tower"]] == [0.5, 1.0]


def test_plots_are_drawn(comparison: Comparison, tmp_path: Path) -> None:
    paths = draw_comparison(comparison, tmp_path)
    assert [path.name for path in paths] == [
        "recall-rooms-on-air.png",
        "segments-rooms-on-air.png",
        "exposure-rooms-on-air.png",
    ]
    assert all(path.stat().st_size > 1_000 for path in paths)


def test_ncf_table_has_a_row_a_model_with_its_spread() -> None:
    two, one = np.array([0.5, 0.7]), np.array([0.25])
    seeds = NcfResult(two, two, two, two, train_s=two, seeds=(1, 2))
    found = {"neumf": seeds, "popularity": NcfResult(one, one, one, one, train_s=one, seeds=(1,))}
    table = ncf_report(found)
    assert table.rows[0][:2] == ("neumf", "0.600 ±0.100")
    assert table.rows[1][:2] == ("popularity", "0.250")
    assert ncf_json(found)["neumf"]["hit_rate"] == [0.5, 0.7]
