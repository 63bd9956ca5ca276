"""The service's channels, asked at moments of a log."""

from pathlib import Path

import numpy as np

from feature_service.features.catalog import build_catalog
from feature_service.features.events import Event, EventKind
from feature_service.features.schema import key_of
from feature_service.recall.watched import Watched
from tests.training.compare.recall_worlds import cases_of, enters_of, rooms_of
from training.compare.questions import among_live
from training.compare.service_channels import ask_channels, memory_channels
from training.data.sources import write_log

KIM = key_of("user", "kim")
ANN, BOB = (key_of("streamer", name) for name in ("ann", "bob"))
FIRST, SECOND = (key_of("room", name) for name in ("r1", "r2"))
HOUR_MS = 3_600_000
LEASE_MS = 24 * HOUR_MS

LOG = [
    Event("s1", EventKind.ROOM_STARTED, 1_000, room_id="r1", streamer_id="ann", lease_ms=LEASE_MS),
    Event("s2", EventKind.ROOM_STARTED, 1_000, room_id="r2", streamer_id="bob", lease_ms=LEASE_MS),
    Event("e1", EventKind.ENTER, HOUR_MS, "kim", "r1", "ann"),
    Event("e2", EventKind.ENTER, 2 * HOUR_MS, "kim", "r2", "bob"),
]


def test_a_channel_knows_the_log_up_to_the_question_and_answers_with_places(tmp_path: Path) -> None:
    write_log(tmp_path, LOG)
    rooms = rooms_of((SECOND, BOB, 0, 9 * HOUR_MS), (FIRST, ANN, 0, 9 * HOUR_MS))
    cases = cases_of(
        (HOUR_MS, KIM, 0, FIRST, ANN), (2 * HOUR_MS, KIM, 1, SECOND, BOB), (3 * HOUR_MS, KIM, 2, FIRST, ANN)
    )
    questions = among_live(cases, rooms, enters_of((HOUR_MS, KIM, ANN)))
    found = ask_channels(
        questions, {"watched": Watched()}, rooms, log=str(tmp_path), catalog=build_catalog(0), most=10
    )["watched"]
    # Kim has watched nobody at first, then ann, whose room stands second among those offered, then both.
    assert [np.sort(places).tolist() for places in found.places] == [[], [1], [0, 1]]


def test_all_channels_that_need_no_model_are_asked() -> None:
    assert list(memory_channels()) == ["followed", "watched", "hot", "fresh"]
