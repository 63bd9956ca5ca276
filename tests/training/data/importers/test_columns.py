"""A platform's own tables, mapped by a TOML file."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feature_service.features.events import Event, EventKind
from training.data.errors import DataError
from training.data.importers import columns, import_log

MAPPING = """
[[table]]
path = "rooms.csv"
kind = "room_started"
[table.columns]
time_ms = "began"
room_id = "live_id"
streamer_id = "host"
[table.scale]
time_ms = 1000
[table.attributes]
tier = "tier"
price = "price"

[[table]]
path = "actions.tsv"
kind = "enter"
where = { action = "click" }
[table.columns]
event_id = "id"
time_ms = "ts"
user_id = "uid"
room_id = "live_id"
[table.constants]
scene = "live_tab"
"""


@pytest.fixture
def mapping(tmp_path: Path) -> Path:
    (tmp_path / "rooms.csv").write_text("began,live_id,host,tier,price\n2,100,9,gold,1.5\n1,101,8,,\n")
    (tmp_path / "actions.tsv").write_text(
        "id\tts\tuid\tlive_id\taction\nx\t2000\t5\t100\tclick\ny\t1500\t5\t101\tshow\n"
    )
    (tmp_path / "mapping.toml").write_text(MAPPING)
    return tmp_path / "mapping.toml"


def test_tables_become_events_in_order_of_time(mapping: Path) -> None:
    assert list(columns.events(mapping)) == [
        Event("room_started-1-1", EventKind.ROOM_STARTED, 1_000, room_id="101", streamer_id="8"),
        Event(
            "room_started-1-0",
            EventKind.ROOM_STARTED,
            2_000,
            room_id="100",
            streamer_id="9",
            attributes={"tier": "gold", "price": 1.5},
        ),
        # The streamer is the room's.
        Event("x", EventKind.ENTER, 2_000, "5", "100", "9", scene="live_tab"),
    ]


def test_a_log_says_what_it_carries(mapping: Path) -> None:
    about = import_log("columns", mapping, mapping.parent / "log")
    assert about.heads == ("enter",)
    assert about.attributes["room"] == {"tier": {"kind": "category"}, "price": {"kind": "number"}}


def test_dates_and_lists_are_understood(tmp_path: Path) -> None:
    when = datetime(2025, 5, 5, 0, 0, 1, tzinfo=UTC)
    table = pa.table({"at": pa.array([when], pa.timestamp("us")), "room": ["a"], "host": ["b"], "vector": [[0.5, 1.0]]})
    pq.write_table(table, tmp_path / "rooms.parquet")
    (tmp_path / "m.toml").write_text(
        '[[table]]\npath = "rooms.parquet"\nkind = "room_started"\n'
        'columns = { time_ms = "at", room_id = "room", streamer_id = "host", content = "vector" }\n'
    )
    (event,) = columns.events(tmp_path / "m.toml")
    assert (event.time_ms, event.content) == (1_746_403_201_000, (0.5, 1.0))


def test_times_finer_than_a_millisecond_are_cut(tmp_path: Path) -> None:
    at = pa.array([1_746_403_201_000_999_999], pa.timestamp("ns"))
    pq.write_table(pa.table({"at": at, "who": ["a"]}), tmp_path / "users.parquet")
    (tmp_path / "m.toml").write_text(
        '[[table]]\npath = "users.parquet"\nkind = "user_updated"\ncolumns = { time_ms = "at", user_id = "who" }\n'
    )
    assert [event.time_ms for event in columns.events(tmp_path / "m.toml")] == [1_746_403_201_000]


def test_all_numbers_are_scaled_to_the_nearest_and_what_is_not_given_is_not(tmp_path: Path) -> None:
    # 1.001 * 1000 is 1000.9999999999999 in floating point.
    (tmp_path / "gifts.csv").write_text("t,u,cents,crowd\n1.001,5,250,2\n2,6,30,\n")
    (tmp_path / "m.toml").write_text(
        '[[table]]\npath = "gifts.csv"\nkind = "gift"\n'
        'columns = { time_ms = "t", user_id = "u", gift_value = "cents", viewers = "crowd" }\n'
        "scale = { time_ms = 1000, gift_value = 0.01, viewers = 1000 }\n"
    )
    found = list(columns.events(tmp_path / "m.toml"))
    assert [(event.time_ms, event.gift_value, event.viewers) for event in found] == [
        (1_001, pytest.approx(2.5), 2_000),
        (2_000, pytest.approx(0.3), -1),
    ]


def test_a_truth_value_selects_rows(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("t,u,ok\n1,5,true\n2,6,false\n")
    (tmp_path / "m.toml").write_text(
        '[[table]]\npath = "a.csv"\nkind = "user_updated"\nwhere = { ok = true }\n'
        'columns = { time_ms = "t", user_id = "u" }\n'
    )
    assert [event.user_id for event in columns.events(tmp_path / "m.toml")] == ["5"]


def test_events_stand_in_order_of_receipt(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("t,r,u\n10,900,1\n20,30,2\n")
    (tmp_path / "m.toml").write_text(
        '[[table]]\npath = "a.csv"\nkind = "user_updated"\n'
        'columns = { time_ms = "t", received_ms = "r", user_id = "u" }\n'
    )
    assert [event.user_id for event in columns.events(tmp_path / "m.toml")] == ["2", "1"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("where =", "wher =", "table 2: unknown key wher, expected path, kind, where"),
        ('user_id = "uid"', 'usr_id = "uid"', "table 2: columns: unknown key usr_id, expected event_id"),
        ('user_id = "uid"', 'user_id = "uidd"', r"actions\.tsv: expected a column uidd, found id, ts"),
        ('kind = "enter"', 'kind = "entr"', "table 2: kind: expected one of impression, enter,.* received entr"),
        ('scene = "live_tab"', "scene = 3", "table 2: constants: scene: expected str, received 3"),
        ('time_ms = "ts"', "", "table 2: columns: expected a column for time_ms"),
        ('[[table]]\npath = "rooms', '[rooms]\n[[table]]\npath = "rooms', "unknown key rooms, expected table"),
        ('path = "actions.tsv"', "", "table 2: expected a key path"),
        ('time_ms = "ts"', 'time_ms = "action"', r"actions\.tsv: action: expected values for time_ms, received string"),
        ("time_ms = 1000", 'time_ms = "s"', "table 1: scale: time_ms: expected a number, received 's'"),
        ("time_ms = 1000", "room_id = 2", "table 1: scale: unknown key room_id, expected time_ms$"),
        ('path = "actions.tsv"', "path = 3", "table 2: path: expected a text, received 3"),
        (
            "[table.constants]",
            '[table.attributes]\nage = "uid"\n[table.constants]',
            "table 2: attributes: expected them with a kind of user_updated, .*, received enter",
        ),
        ("[table.scale]", "[table.scale", r"mapping\.toml: not readable as TOML"),
    ],
)
def test_a_mistake_in_the_mapping_is_named(mapping: Path, old: str, new: str, message: str) -> None:
    mapping.write_text(MAPPING.replace(old, new))
    with pytest.raises(DataError, match=message):
        list(columns.events(mapping))
