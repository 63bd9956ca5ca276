"""KuaiRand: impressions of videos, and what followed."""

import os
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feature_service.features.events import EventKind
from training.data.errors import DataError
from training.data.importers import import_log, kuairand
from training.data.sources import read_log
from training.data.validate import validate

HOUR_MS = 3_600_000
COLUMNS = (
    "user_id",
    "video_id",
    "time_ms",
    "is_click",
    "is_follow",
    "is_comment",
    "is_forward",
    "play_time_ms",
    "duration_ms",
    "is_like_not_hate",
)


def write(folder: Path, *rows: tuple[int, ...]) -> Path:
    columns = {name: list(values) for name, values in zip(COLUMNS, zip(*rows, strict=True), strict=True)}
    pq.write_table(pa.table(columns), folder / "interactions.parquet")
    return folder


def test_flags_become_events(tmp_path: Path) -> None:
    write(tmp_path, (5, 70, 1_000, 1, 1, 1, 1, 8_000, 9_500, 1), (6, 71, 2_000, 0, 0, 0, 0, 1_500, 0, 0))
    told = [(e.kind.name, e.time_ms, e.user_id, e.room_id, e.watch_ms) for e in kuairand.events(tmp_path)]
    assert told == [
        ("ROOM_STARTED", 1_000, "", "room-70", 0),
        ("IMPRESSION", 1_000, "user-5", "room-70", 0),
        ("ENTER", 1_000, "user-5", "room-70", 0),
        ("LIKE", 1_000, "user-5", "room-70", 0),
        ("COMMENT", 1_000, "user-5", "room-70", 0),
        ("FOLLOW", 1_000, "user-5", "room-70", 0),
        ("SHARE", 1_000, "user-5", "room-70", 0),
        ("ROOM_STARTED", 2_000, "", "room-71", 0),
        ("IMPRESSION", 2_000, "user-6", "room-71", 0),
        ("NOT_INTERESTED", 2_000, "user-6", "room-71", 0),
        ("LEAVE", 9_000, "user-5", "room-70", 8_000),
    ]


def test_the_duration_is_a_room_attribute_where_it_is_known(tmp_path: Path) -> None:
    write(tmp_path, (5, 70, 1_000, 1, 0, 0, 0, 8_000, 9_500, 1), (6, 71, 2_000, 0, 0, 0, 0, 1_500, 0, 0))
    rooms = [event for event in kuairand.events(tmp_path) if event.kind is EventKind.ROOM_STARTED]
    assert [dict(room.attributes) for room in rooms] == [{"duration_s": 9.5}, {}]


def test_a_video_is_open_from_its_first_impression_to_its_last_unless_it_was_shown_on_the_last_day(
    tmp_path: Path,
) -> None:
    write(
        tmp_path,
        (5, 70, 1_000, 0, 0, 0, 0, 0, 0, 1),
        (6, 70, HOUR_MS, 0, 0, 0, 0, 0, 0, 1),
        (6, 71, 40 * HOUR_MS, 0, 0, 0, 0, 0, 0, 1),
    )
    events = list(kuairand.events(tmp_path))
    assert [(e.room_id, e.time_ms) for e in events if e.kind is EventKind.ROOM_ENDED] == [("room-70", HOUR_MS + 1)]


def test_user_features_come_first_and_only_of_users_that_occur(tmp_path: Path) -> None:
    write(tmp_path, (5, 70, 1_000, 0, 0, 0, 0, 0, 0, 1))
    features = {
        "user_id": [5, 9],
        "user_active_degree": ["full_active", "low"],
        "onehot_feat4": [1.0, None],
        "onehot_feat12": [None, 2.0],
        "register_days": [799, 3],
    }
    pq.write_table(pa.table(features), tmp_path / "user_features.parquet")
    first, *rest = kuairand.events(tmp_path)
    assert (first.kind, first.user_id, first.time_ms) == (EventKind.USER_UPDATED, "user-5", 1_000)
    # A whole number that stands as a float, because others are missing, is the category "1".
    assert first.attributes == {"user_active_degree": "full_active", "onehot_feat4": "1", "register_days": 799.0}
    assert EventKind.USER_UPDATED not in {event.kind for event in rest}


def test_the_data_sets_own_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "log_standard_4_08_to_4_21_27k_part1.csv").write_text(
        "user_id,video_id,time_ms,is_click,is_like,is_follow,is_comment,is_forward,is_hate,play_time_ms,duration_ms\n"
        "5,70,1000,1,0,0,0,0,0,8000,9500\n"
    )
    kinds = [event.kind for event in kuairand.events(tmp_path)]
    assert kinds == [EventKind.ROOM_STARTED, EventKind.IMPRESSION, EventKind.ENTER, EventKind.LEAVE]


def test_a_folder_without_interactions_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected interactions\.parquet or log_\*\.csv, found none"):
        kuairand.events(tmp_path)


def test_a_file_without_rows_is_named(tmp_path: Path) -> None:
    pq.write_table(pa.table({name: pa.array([], pa.int64()) for name in COLUMNS}), tmp_path / "interactions.parquet")
    with pytest.raises(DataError, match="expected rows, found none"):
        kuairand.events(tmp_path)


@pytest.mark.skipif("ONAIR_DATA" not in os.environ, reason="ONAIR_DATA names no folder with real data")
def test_the_real_file_is_imported_whole(tmp_path: Path) -> None:
    about = import_log("kuairand", Path(os.environ["ONAIR_DATA"]) / "kuairand_27k_like_hate", tmp_path)
    count = Counter(event.kind for event in read_log(tmp_path))
    assert count[EventKind.IMPRESSION] == 40_083
    assert count[EventKind.ENTER] / 40_083 == pytest.approx(0.657, abs=0.001)
    assert count[EventKind.USER_UPDATED] == 664
    assert about.heads == ("enter", "long_watch", "watch_time", "like", "comment", "follow", "share")
    assert list(validate(tmp_path, now_ms=about.last_ms)) == []
