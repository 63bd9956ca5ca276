"""The recall baselines on real viewing: the reduced Twitch file of LiveRec, against figures measured independently.

`ONAIR_DATA` names the folder that holds `twitch_liverec_2k/interactions.parquet`. A case is a user's last visit in the
test steps 5,648 to 5,897; a streamer counts as live within 18 steps of 10 minutes around any visit of the file.
"""

import os
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from training.data.samples import RoomVersions
from training.evaluate_recall import RecallCases, RecallReport, evaluate_recall
from training.recall_baselines import Enters, recall_baselines

DATA = os.environ.get("ONAIR_DATA")
pytestmark = pytest.mark.skipif(DATA is None, reason="ONAIR_DATA names no folder of real data")

STEP_MS = 600_000
TEST_STEPS = (5_648, 5_898)
AROUND = 18


@pytest.fixture(scope="module")
def report() -> RecallReport:
    table = pq.read_table(Path(DATA or "", "twitch_liverec_2k", "interactions.parquet"))
    names = ("user_id", "streamer_id", "start_step", "src_row")
    user, number, step, row = (table[name].to_numpy().astype(np.int64) for name in names)
    order = np.lexsort((row, step))
    user, number, step = user[order], number[order], step[order]
    streamer = np.random.default_rng(0).permutation(number.max() + 1)[number]  # Ties break by key: not by popularity.
    time_ms = step * STEP_MS + np.arange(len(step)) - np.searchsorted(step, step)  # Within a step in the file's order.
    rooms = rooms_around(streamer, step)
    cases = last_visits(user, streamer, step, time_ms, rooms)
    enters = Enters.of(time_ms, user, streamer)
    scorers = recall_baselines(enters, rooms, trained_until_ms=TEST_STEPS[0] * STEP_MS)
    return evaluate_recall(cases, rooms, scorers, enters, ks=(1, 10))


def rooms_around(streamer: np.ndarray, step: np.ndarray) -> RoomVersions:
    """A room for each stretch of visits to a streamer that are at most twice `AROUND` steps apart."""
    order = np.lexsort((step, streamer))
    streamer, step = streamer[order], step[order]
    apart = (np.diff(streamer) != 0) | (np.diff(step) > 2 * AROUND + 1)
    first = np.flatnonzero(np.concatenate(([True], apart)))
    last = np.append(first[1:], len(step)) - 1
    start, stop = (step[first] - AROUND) * STEP_MS, (step[last] + AROUND + 1) * STEP_MS
    return RoomVersions({}, np.arange(len(first)), streamer[first], start, stop)


def last_visits(
    user: np.ndarray, streamer: np.ndarray, step: np.ndarray, time_ms: np.ndarray, rooms: RoomVersions
) -> RecallCases:
    """The last visit in the test steps of each user who was seen before."""
    tested = np.flatnonzero((step >= TEST_STEPS[0]) & (step < TEST_STEPS[1]))
    _, from_end = np.unique(user[tested][::-1], return_index=True)
    last = tested[::-1][from_end]
    known, first = np.unique(user, return_index=True)
    last = last[first[np.searchsorted(known, user[last])] < last]
    room = [
        rooms.room[rows[rooms.streamer[rows] == wanted]][0]
        for wanted, rows in ((streamer[visit], rooms.live_at(int(time_ms[visit]))) for visit in last)
    ]
    return RecallCases(time_ms[last], user[last], np.arange(len(last)), np.array(room), streamer[last])


def test_cases_and_candidates_are_those_of_the_protocol(report: RecallReport) -> None:
    assert report.cases == 1_459
    assert report.segments["new"].cases == 257
    assert report.candidates_mean == pytest.approx(284, abs=1)


@pytest.mark.parametrize(
    ("scorer", "recall_1", "recall_10", "ndcg_10"),
    [
        ("popularity", 0.040, 0.152, 0.088),
        ("recent_popularity", 0.049, 0.193, 0.113),
        ("repeat_visits", 0.314, 0.803, 0.560),
        ("random", 1 / 284, 10 / 284, 0.016),
    ],
)
def test_baselines_reach_the_figures_measured_elsewhere(
    report: RecallReport, scorer: str, recall_1: float, recall_10: float, ndcg_10: float
) -> None:
    found = {name: estimate.value for name, estimate in report.metrics[scorer]["all"].items()}
    expected = {"recall@1": recall_1, "recall@10": recall_10, "ndcg@10": ndcg_10}
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=0.012), name  # How ties break moves the third digit.


def test_repeat_visits_know_nothing_of_new_streamers(report: RecallReport) -> None:
    assert report.metrics["repeat_visits"]["new"]["recall@1"].value == 0
