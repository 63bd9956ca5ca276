"""The event log at rest: what is written comes back, and what is wrong is named."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feature_service.features.events import Event, EventKind
from training.data import sources
from training.data.errors import DataError
from training.data.event_schema import SCHEMA
from training.data.locations import locate
from training.data.sources import Written, read_columns, read_log, write_log


def an_event(number: int, **fields: object) -> Event:
    plain = Event(f"event-{number}", EventKind.LIKE, 1_000 + number, "user-1", "room-1", "streamer-1")
    return plain._replace(**fields)  # pyright: ignore[reportArgumentType]


FULL = Event(
    event_id="événement-1",
    kind=EventKind.ROOM_STARTED,
    time_ms=1_746_403_200_123,
    user_id="user-1",
    room_id="room-1",
    streamer_id="streamer-1",
    request_id="request-1",
    position=3,
    propensity=0.1,
    watch_ms=2**40,
    gift_value=0.1,
    scene="live_tab",
    device="phone",
    network="wifi",
    region="mx",
    sampled=True,
    title="唱歌",
    category="music",
    language="zh",
    activity="singing",
    viewers=12,
    content=(0.5, -0.25),
    lease_ms=180_000,
    attributes={"age_band": "18-24", "level": 3.5, "vector": (1.0, 2.0)},
    received_ms=1_746_403_200_456,
)


def test_events_come_back_as_they_were(tmp_path: Path) -> None:
    other = FULL._replace(event_id="other", content=(1.0, 2.0, 4.0), attributes={"level": 1.0})
    events = [FULL, Event("bare", EventKind.USER_ERASED, FULL.received_ms, "user-2"), other]
    assert write_log(tmp_path / "log", events) == Written(3, 1, FULL.received_ms, FULL.received_ms)
    found = list(read_log(tmp_path / "log"))
    assert found == events
    assert found[0].kind is EventKind.ROOM_STARTED


def test_a_log_is_split_into_shards_and_keeps_its_order(tmp_path: Path) -> None:
    events = [an_event(number, time_ms=5) for number in range(25)]
    assert write_log(tmp_path / "log", events, rows_per_file=10).files == 3
    names = sorted(path.name for path in (tmp_path / "log").iterdir())
    assert names == ["part-00000.parquet", "part-00001.parquet", "part-00002.parquet"]
    assert list(read_log((tmp_path / "log").as_uri())) == events


def test_writing_holds_no_more_than_a_row_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "ROWS_PER_GROUP", 5)
    shards_seen: list[int] = []

    def events() -> Iterator[Event]:
        for number in range(30):
            shards_seen.append(len(list((tmp_path / "log").glob("part-*"))))
            yield an_event(number)

    write_log(tmp_path / "log", events(), rows_per_file=10)
    # As event 10 is asked for, the first shard of ten is whole; as event 20 is, the second.
    assert shards_seen == [0] * 10 + [1] * 10 + [2] * 10


def test_the_time_of_receipt_orders_a_log(tmp_path: Path) -> None:
    late = an_event(1, time_ms=10, received_ms=2_000)
    events = [an_event(0, time_ms=1_500), late]
    write_log(tmp_path / "log", events)
    assert list(read_log(tmp_path / "log")) == events


def test_disorder_is_refused_with_the_event_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="event event-7: expected events in order of time, received 1007 after 1009"):
        write_log(tmp_path / "log", [an_event(9), an_event(7)])


def test_a_log_is_not_written_over_another(tmp_path: Path) -> None:
    write_log(tmp_path / "log", [an_event(1)])
    with pytest.raises(DataError, match="expected a folder without a log"):
        write_log(tmp_path / "log", [an_event(2)])
    assert [event.event_id for event in read_log(tmp_path / "log")] == ["event-1"]


def test_an_unfinished_shard_is_no_part_of_a_log(tmp_path: Path) -> None:
    write_log(tmp_path, [an_event(1)])
    (tmp_path / "_part-00001.parquet").write_bytes(b"PAR1 and then the machine stopped")
    assert len(list(read_log(tmp_path))) == 1


def test_columns_are_read_in_the_order_asked_for(tmp_path: Path) -> None:
    write_log(tmp_path / "log", [an_event(number) for number in range(4)], rows_per_file=2)
    table = read_columns(tmp_path / "log", ["user_id", "time_ms"])
    assert table.schema == pa.schema([SCHEMA.field("user_id"), SCHEMA.field("time_ms")])
    assert table["time_ms"].to_pylist() == [1_000, 1_001, 1_002, 1_003]


def test_a_column_that_events_do_not_have_is_refused(tmp_path: Path) -> None:
    write_log(tmp_path / "log", [an_event(1)])
    with pytest.raises(DataError, match=r"expected columns of event_id, .*, received usr$"):
        read_columns(tmp_path / "log", ["usr"])


def test_a_missing_log_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere: expected an event log, found no such file or directory"):
        read_log(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"found no \.parquet file in it"):
        read_log(tmp_path)


def test_a_corrupt_shard_is_named_after_the_good_ones_were_read(tmp_path: Path) -> None:
    write_log(tmp_path, [an_event(number) for number in range(4)], rows_per_file=2)
    (tmp_path / "part-00001.parquet").write_bytes(b"not Parquet at all")
    found: list[Event] = []
    events = read_log(tmp_path)
    found.extend((next(events), next(events)))
    with pytest.raises(DataError, match=r"part-00001\.parquet: not readable as Parquet"):
        next(events)
    assert [event.event_id for event in found] == ["event-0", "event-1"]


def test_an_unknown_and_a_missing_column_are_named(tmp_path: Path) -> None:
    table = pa.table({"event_id": ["a"], "kind": pa.array([4], pa.int8()), "time_ms": [1], "usr": ["user-1"]})
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"a\.parquet: unknown column usr"):
        list(read_log(tmp_path))
    pq.write_table(table.select(["event_id", "kind"]), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"a\.parquet: expected a column time_ms"):
        list(read_log(tmp_path))


def test_a_column_that_a_log_lacks_and_a_null_read_as_the_default(tmp_path: Path) -> None:
    user = pa.array([None, "user-1"], pa.string())
    pq.write_table(
        pa.table({"event_id": ["a", "b"], "kind": [4, 4], "time_ms": [1, 2], "user_id": user}), tmp_path / "a.parquet"
    )
    assert list(read_log(tmp_path)) == [Event("a", EventKind.LIKE, 1), Event("b", EventKind.LIKE, 2, "user-1")]


def test_columns_that_a_log_lacks_and_nulls_read_as_the_defaults_too(tmp_path: Path) -> None:
    user = pa.array([None, "user-1"], pa.string())
    pq.write_table(
        pa.table({"event_id": ["a", "b"], "kind": [4, 4], "time_ms": [1, 2], "user_id": user}), tmp_path / "a.parquet"
    )
    table = read_columns(tmp_path, ["user_id", "position", "sampled", "request_id"])
    assert table.to_pydict() == {
        "user_id": ["", "user-1"],
        "position": [-1, -1],
        "sampled": [False, False],
        "request_id": ["", ""],
    }


@pytest.mark.parametrize("column", ["event_id", "kind", "time_ms"])
def test_a_null_in_a_required_column_is_named(tmp_path: Path, column: str) -> None:
    table = pa.table({"event_id": ["a"], "kind": [4], "time_ms": [1]})
    null = pa.nulls(1, table.schema.field(column).type)
    pq.write_table(table.set_column(table.schema.get_field_index(column), column, null), tmp_path / "a.parquet")
    for read in (lambda: list(read_log(tmp_path)), lambda: read_columns(tmp_path, [column])):
        with pytest.raises(DataError, match=rf"a\.parquet: {column}: expected a value in every row, received null"):
            read()


def test_an_unknown_kind_is_named(tmp_path: Path) -> None:
    pq.write_table(pa.table({"event_id": ["a"], "kind": [99], "time_ms": [1]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"a\.parquet: kind: expected a number of EventKind, received 99"):
        list(read_log(tmp_path))


def test_a_not_finite_attribute_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="attributes: expected finite numbers"):
        write_log(tmp_path / "log", [an_event(1, attributes={"level": float("nan")})])


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="file/log: "):
        write_log(tmp_path / "file" / "log", [an_event(1)])


def test_an_unknown_scheme_and_a_missing_package_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"expected a path or one of file://, hdfs://, s3://, received ftp://"):
        locate("ftp://host/log")
    monkeypatch.setitem(sys.modules, "hdfs_native.fsspec", None)
    with pytest.raises(DataError, match="hdfs:// needs the packages hdfs-native and fsspec"):
        locate("hdfs://host:9820/log")
