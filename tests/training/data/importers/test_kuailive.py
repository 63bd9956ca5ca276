"""KuaiLive: nine files become one log."""

from pathlib import Path

import numpy as np
import pytest

from feature_service.features.events import EventKind
from training.data.errors import DataError
from training.data.importers import import_log, kuailive
from training.data.importers.kuailive import last_before

FILES = {
    "room.csv": "p_date,live_id,streamer_id,live_type,start_timestamp,end_timestamp,"
    "live_content_category,live_name_id\n"
    "20250505,100,7,1,1000,90000,singing,1\n20250506,100,7,1,1000,95000,singing,1\n20250505,101,8,2,3000,0,chat,0\n",
    "click.csv": "user_id,live_id,streamer_id,timestamp,watch_live_time\n5,100,7,2000,4000\n5,100,7,10000,500\n",
    "negative.csv": "user_id,live_id,streamer_id,timestamp\n6,101,8,99000\n",
    "comment.csv": "user_id,live_id,streamer_id,timestamp\n5,100,7,2500\n",
    "like.csv": "user_id,live_id,streamer_id,timestamp\n6,100,7,3000\n",
    "gift.csv": "user_id,live_id,streamer_id,timestamp,gift_price\n5,100,7,10100,30\n",
    "user.csv": "user_id,age,gender,fans_num,onehot_feat0\n5,18-23,F,1000-10000,3\n",
    "streamer.csv": "streamer_id,gender,live_operation_tag\n7,M,music\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    np.save(tmp_path / "title_embeddings.npy", np.array([[0.5, 1.0], [0.25, -1.0]]))
    return tmp_path


def test_the_files_become_one_log_in_order_of_time(folder: Path) -> None:
    told = [(e.kind.name, e.time_ms, e.user_id, e.room_id, e.request_id) for e in kuailive.events(folder)]
    assert told == [
        ("USER_UPDATED", 1_000, "user-5", "", ""),
        ("STREAMER_UPDATED", 1_000, "", "", ""),
        ("ROOM_STARTED", 1_000, "", "room-100", ""),
        ("IMPRESSION", 2_000, "user-5", "room-100", "request-0"),
        ("ENTER", 2_000, "user-5", "room-100", "request-0"),
        ("COMMENT", 2_500, "user-5", "room-100", "request-0"),
        ("ROOM_STARTED", 3_000, "", "room-101", ""),
        ("LIKE", 3_000, "user-6", "room-100", ""),
        ("LEAVE", 6_000, "user-5", "room-100", "request-0"),
        ("IMPRESSION", 10_000, "user-5", "room-100", "request-1"),
        ("ENTER", 10_000, "user-5", "room-100", "request-1"),
        ("GIFT", 10_100, "user-5", "room-100", "request-1"),
        ("LEAVE", 10_500, "user-5", "room-100", "request-1"),
        # The room stands under two dates: it ends as the later row says.
        ("ROOM_ENDED", 95_000, "", "room-100", ""),
        ("IMPRESSION", 99_000, "user-6", "room-101", "request-2"),
    ]


def test_values_are_carried(folder: Path) -> None:
    events = list(kuailive.events(folder))
    of = {event.kind: event for event in reversed(events)}
    assert len({event.event_id for event in events}) == len(events)
    assert of[EventKind.GIFT].gift_value == 30
    assert of[EventKind.LEAVE].watch_ms == 4_000
    assert of[EventKind.USER_UPDATED].attributes == {
        "age": "18-23",
        "gender": "F",
        "fans_num": "1000-10000",
        "onehot_feat0": "3",
    }
    assert (of[EventKind.STREAMER_UPDATED].streamer_id, of[EventKind.STREAMER_UPDATED].category) == (
        "streamer-7",
        "music",
    )
    started = of[EventKind.ROOM_STARTED]
    assert (started.category, started.content, started.attributes) == ("singing", (0.25, -1.0), {"live_type": "1"})
    assert started.lease_ms >= 94_000


def test_author_id_is_read_as_streamer_id(folder: Path) -> None:
    for name in FILES:
        path = folder / name
        path.write_text(path.read_text().replace("streamer_id", "author_id"))
    assert {event.streamer_id for event in kuailive.events(folder)} == {"", "streamer-7", "streamer-8"}


def test_heads_without_files_have_no_labels(folder: Path) -> None:
    about = import_log("kuailive", folder, folder / "log")
    assert about.heads == ("enter", "long_watch", "watch_time", "like", "comment", "gift")
    assert about.content_width == 2


def test_a_missing_file_and_a_missing_column_are_named(folder: Path) -> None:
    (folder / "gift.csv").write_text("user_id,live_id,streamer_id,timestamp\n5,100,7,10100\n")
    with pytest.raises(DataError, match=r"gift\.csv: expected a column gift_price, found user_id"):
        kuailive.events(folder)
    (folder / "gift.csv").unlink()
    with pytest.raises(DataError, match=r"gift\.csv: expected a CSV file, found none"):
        kuailive.events(folder)


def test_the_last_entry_of_the_same_key_at_or_before_a_time_is_found() -> None:
    key, time_ms = np.array([1, 2, 1]), np.array([10, 10, 20])
    asked = last_before(key, time_ms, np.array([1, 1, 1, 2, 3]), np.array([9, 10, 25, 11, 99]))
    assert asked.tolist() == [-1, 0, 2, 1, -1]
