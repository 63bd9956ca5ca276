"""Twitch histories: LiveRec's files, and the reduced one."""

import gzip
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feature_service.features.events import EventKind
from training.data.errors import DataError
from training.data.importers import import_log, twitch
from training.data.importers.twitch import START_MS, STEP_MS, proxy_runs
from training.data.sources import read_columns
from training.data.validate import validate


def reduced(path: Path, rows: list[tuple[int, int, int]]) -> Path:
    """Writes rows of user, streamer and start step, in the order of their `src_row`."""
    user, streamer, step = zip(*rows, strict=True)
    table = pa.table({"user_id": user, "streamer_id": streamer, "start_step": step, "src_row": range(len(rows))})
    pq.write_table(table, path)
    return path


def test_starts_within_reach_of_each_other_are_one_room() -> None:
    # Reach is 18 steps to either side: 0 covers -18..18, and 37 covers 19..55, without a gap; 75 starts at 57.
    room, streamer, first, stop = proxy_runs(np.array([3, 3, 3, 8]), np.array([37, 0, 75, 0]))
    assert room.tolist() == [0, 0, 1, 2]
    assert streamer.tolist() == [3, 3, 8]
    assert first.tolist() == [-18, 57, -18]
    assert stop.tolist() == [56, 94, 19]


def test_the_reduced_file_becomes_rooms_impressions_and_enters(tmp_path: Path) -> None:
    path = reduced(tmp_path / "interactions.parquet", [(1, 7, 20), (2, 9, 30), (1, 7, 60)])
    events = list(twitch.events(tmp_path, sampled=4))
    assert list(twitch.events(path)) == events
    told = [(e.kind.name, (e.time_ms - START_MS) / STEP_MS, e.room_id, e.sampled) for e in events]
    assert told == [
        ("ROOM_STARTED", 2, "room-7-0", False),
        ("ROOM_STARTED", 12, "room-9-0", False),
        *sorted([("IMPRESSION", 20, "room-7-0", False), ("IMPRESSION", 20, "room-9-0", True)], key=told.index),
        ("ENTER", 20, "room-7-0", False),
        *sorted([("IMPRESSION", 30, "room-9-0", False), ("IMPRESSION", 30, "room-7-0", True)], key=told.index),
        ("ENTER", 30, "room-9-0", False),
        ("ROOM_ENDED", 39, "room-7-0", False),
        ("ROOM_STARTED", 42, "room-7-1", False),
        ("ROOM_ENDED", 49, "room-9-0", False),
        ("IMPRESSION", 60, "room-7-1", False),
        ("ENTER", 60, "room-7-1", False),
    ]


def test_a_room_that_outlasts_the_log_stays_open_and_its_lease_covers_it(tmp_path: Path) -> None:
    events = list(twitch.events(reduced(tmp_path / "a.parquet", [(1, 7, 20)])))
    (started,) = [event for event in events if event.kind is EventKind.ROOM_STARTED]
    assert EventKind.ROOM_ENDED not in {event.kind for event in events}
    assert started.time_ms + started.lease_ms > START_MS + 39 * STEP_MS


def test_liverecs_streams_are_rooms_and_stops_are_leaves(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "full_a.csv.gz", "wt") as file:
        file.write("5,3400,anna,10,12\n6,3400,anna,11,14\n5,3401,bert,12,13\n")
    events = list(twitch.events(tmp_path / "full_a.csv.gz", sampled=0))
    told = [(e.kind.name, (e.time_ms - START_MS) / STEP_MS, e.user_id, e.room_id, e.watch_ms) for e in events]
    assert told == [
        ("ROOM_STARTED", 10, "", "room-3400", 0),
        ("IMPRESSION", 10, "user-5", "room-3400", 0),
        ("ENTER", 10, "user-5", "room-3400", 0),
        ("IMPRESSION", 11, "user-6", "room-3400", 0),
        ("ENTER", 11, "user-6", "room-3400", 0),
        ("ROOM_STARTED", 12, "", "room-3401", 0),
        ("IMPRESSION", 12, "user-5", "room-3401", 0),
        ("ENTER", 12, "user-5", "room-3401", 0),
        ("LEAVE", 12, "user-5", "room-3400", 2 * STEP_MS),
        ("LEAVE", 13, "user-5", "room-3401", STEP_MS),
        ("LEAVE", 14, "user-6", "room-3400", 3 * STEP_MS),
    ]
    assert {event.streamer_id for event in events} == {"streamer-anna", "streamer-bert"}


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    pq.write_table(pa.table({"user_id": [1], "streamer_id": [1]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"a\.parquet: expected a column start_step, found user_id, streamer_id"):
        twitch.events(tmp_path / "a.parquet")


@pytest.mark.skipif("ONAIR_DATA" not in os.environ, reason="ONAIR_DATA names no folder with real data")
def test_the_real_reduced_file_is_imported_whole(tmp_path: Path) -> None:
    about = import_log("twitch", Path(os.environ["ONAIR_DATA"]) / "twitch_liverec_2k", tmp_path)
    log = read_columns(tmp_path, ["kind", "sampled", "user_id", "streamer_id"])
    count = Counter(zip(log["kind"].to_pylist(), log["sampled"].to_pylist(), strict=True))
    assert count[EventKind.ENTER, False] == count[EventKind.IMPRESSION, False] == 101_248
    assert count[EventKind.IMPRESSION, True] <= 4 * 101_248
    assert len(set(log["user_id"].unique().to_pylist()) - {""}) == 2_000
    assert len(log["streamer_id"].unique()) == 1_742
    assert about.heads == ("enter",)
    assert list(validate(tmp_path, now_ms=about.last_ms)) == []
