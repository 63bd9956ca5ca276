"""LiveRec's protocol on real viewing, against figures measured independently on the same file.

`ONAIR_DATA` names the folder that holds `twitch_liverec_2k/interactions.parquet`. The file is read as events of rooms
by the importer, so that this judges the protocol as the command runs it, without the samples, which no peer reads.
"""

import os
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from training.compare.found import ask
from training.compare.liverec import PART_STEPS, last_visits
from training.compare.measures import KS, measure
from training.compare.peers import AMONG_ALL, AMONG_LIVE, Visits, peer_scorer, rules
from training.compare.questions import Questions, among_all, among_live
from training.data.importers.twitch import STEP_MS, proxy_runs
from training.data.samples import RoomVersions
from training.evaluate_recall import RecallCases
from training.recall_baselines import Enters

DATA = os.environ.get("ONAIR_DATA")
pytestmark = pytest.mark.skipif(DATA is None, reason="ONAIR_DATA names no folder of real data")

LIVE, ALL = "live", "all"

EXPECTED = {
    LIVE: {
        "popularity": 0.088,
        "recent popularity": 0.113,
        "repeat counts": 0.560,
        "memory rule": 0.564,
        "implicit cosine": 0.569,
        "implicit BM25": 0.548,
        "implicit ALS": 0.543,
    },
    ALL: {
        "popularity": 0.062,
        "recent popularity": 0.113,
        "repeat counts": 0.396,
        "memory rule": 0.403,
        "implicit cosine": 0.366,
        "implicit BM25": 0.354,
        "implicit ALS": 0.342,
    },
}
"""NDCG@10 by candidates and scorer."""


@pytest.fixture(scope="module")
def world() -> tuple[RoomVersions, Enters, dict[str, Questions], int]:
    """Rooms, visits, the questions of both candidate sets, and when training ends."""
    table = pq.read_table(Path(DATA or "", "twitch_liverec_2k", "interactions.parquet"))
    names = ("user_id", "streamer_id", "start_step", "src_row")
    user, number, step, turn = (table[name].to_numpy().astype(np.int64) for name in names)
    order = np.lexsort((turn, step))
    user, number, step = user[order], number[order], step[order]
    streamer = np.random.default_rng(0).permutation(number.max() + 1)[number]  # Ties break by key: not by popularity.
    time_ms = step * STEP_MS + np.arange(len(step)) - np.searchsorted(step, step)
    room, owner, first, stop = proxy_runs(streamer, step)
    keys = np.random.default_rng(1).permutation(len(owner))
    rooms = RoomVersions({}, keys, owner, first * STEP_MS, stop * STEP_MS)
    seen = np.ones(len(user), np.bool_)
    seen[np.unique(user, return_index=True)[1]] = False
    tested = np.flatnonzero((step > step.max() - PART_STEPS) & seen)
    rows = np.arange(len(tested))
    cases = last_visits(RecallCases(time_ms[tested], user[tested], rows, keys[room[tested]], streamer[tested]))
    enters = Enters.of(time_ms, user, streamer)
    questions = {LIVE: among_live(cases, rooms, enters), ALL: among_all(cases, rooms, enters)}
    return rooms, enters, questions, int(step.max() + 1 - 2 * PART_STEPS) * STEP_MS


def test_questions_are_those_of_the_protocol(world) -> None:
    live, every = world[2][LIVE], world[2][ALL]
    assert (len(live), int((~live.repeat).sum())) == (1_459, 257)
    assert live.mean_offered == pytest.approx(284, abs=1)
    assert every.mean_offered == 1_742


@pytest.mark.parametrize("candidates", [LIVE, ALL])
def test_rules_and_peers_reach_the_figures_measured_elsewhere(world, candidates: str) -> None:
    rooms, enters, questions, until_ms = world
    asked, visits = questions[candidates], Visits.of(enters, until_ms)
    scorers = rules(enters, rooms, until_ms) | {
        name: peer_scorer(fit(visits, 17), visits, asked, rooms)
        for name, fit in (AMONG_LIVE if candidates == LIVE else AMONG_ALL).items()
        if name in EXPECTED[candidates]
    }
    known = np.unique(enters.streamer)
    for name, scorer in scorers.items():
        found = measure(ask(asked, scorer, rooms, max(KS)), asked, rooms, known).quality["all"]["ndcg@10"]
        assert found == pytest.approx(EXPECTED[candidates][name], abs=0.01), name
