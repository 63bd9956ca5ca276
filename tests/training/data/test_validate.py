"""Validation names each bad row and goes on."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feature_service.features.events import MAX_LATENESS_MS, Event, EventKind
from training.data.errors import DataError
from training.data.sources import write_log
from training.data.validate import Finding, validate

NOW_MS = 10_000_000_000


def like(event_id: str, time_ms: int, **fields: str) -> Event:
    return Event(event_id, EventKind.LIKE, time_ms, "user-1", "room-1", "streamer-1")._replace(**fields)


def found_in(log: Path) -> list[Finding]:
    return list(validate(log, now_ms=NOW_MS))


def write_rows(path: Path, **columns: list[object]) -> None:
    """Writes a shard past all checks of `write_log`."""
    count = len(next(iter(columns.values())))
    plain: dict[str, list[object]] = {
        "event_id": [f"event-{row}" for row in range(count)],
        "kind": [int(EventKind.LIKE)] * count,
        "time_ms": [1_000] * count,
        "user_id": ["user-1"] * count,
        "room_id": ["room-1"] * count,
        "streamer_id": ["streamer-1"] * count,
    }
    pq.write_table(pa.table(plain | columns), path)


def test_a_good_log_has_no_findings(tmp_path: Path) -> None:
    write_log(tmp_path / "log", [like("a", 1), like("b", 2)])
    validation = validate(tmp_path / "log", now_ms=NOW_MS)
    assert list(validation) == []
    assert (validation.files, validation.rows) == (1, 2)


def test_a_bad_row_is_named_with_file_row_and_field(tmp_path: Path) -> None:
    write_log(tmp_path / "log", [like("a", 1), like("b", 2, user_id="")])
    (finding,) = found_in(tmp_path / "log")
    assert (finding.row, finding.field) == (1, "user_id")
    assert str(finding).endswith(
        "part-00000.parquet: row 1: user_id: expected an id for like, received an empty string"
    )


def test_a_null_in_a_required_column_is_a_bad_row_and_the_others_are_checked(tmp_path: Path) -> None:
    write_rows(tmp_path / "a.parquet", time_ms=[1, None, 2], user_id=["user-1", "user-1", ""])
    assert [(f.row, f.field) for f in found_in(tmp_path)] == [(1, "time_ms"), (2, "user_id")]


def test_progress_is_told_of_a_log_without_findings(tmp_path: Path) -> None:
    write_log(tmp_path / "log", [like("a", 1), like("b", 2)])
    told: list[int] = []
    assert list(validate(tmp_path / "log", now_ms=NOW_MS, on_rows=told.append)) == []
    assert told == [2]


def test_disorder_is_found(tmp_path: Path) -> None:
    write_rows(tmp_path / "a.parquet", time_ms=[5, 9, 7])
    assert [(f.row, f.field) for f in found_in(tmp_path)] == [(2, "time_ms")]


def test_a_future_event_is_found(tmp_path: Path) -> None:
    write_rows(tmp_path / "a.parquet", time_ms=[NOW_MS + 5_000, NOW_MS + 5_001])
    assert [(f.row, f.field) for f in found_in(tmp_path)] == [(1, "time_ms")]


def test_a_repeated_id_is_found_across_shards_while_it_counts_as_a_duplicate(tmp_path: Path) -> None:
    write_rows(tmp_path / "a.parquet", event_id=["same"], time_ms=[1_000])
    write_rows(tmp_path / "b.parquet", event_id=["same"], time_ms=[1_000 + MAX_LATENESS_MS])
    write_rows(tmp_path / "c.parquet", event_id=["same"], time_ms=[1_001 + 4 * MAX_LATENESS_MS])
    assert [(Path(f.file).name, f.field) for f in found_in(tmp_path)] == [("b.parquet", "event_id")]


def test_a_row_that_is_no_event_costs_only_itself(tmp_path: Path) -> None:
    write_rows(tmp_path / "a.parquet", kind=[4, 99, 4], attributes=["", "", "{broken"])
    assert [(f.row, f.field) for f in found_in(tmp_path)] == [(1, "kind"), (2, "attributes")]


def test_a_corrupt_shard_is_one_finding_and_the_rest_is_checked(tmp_path: Path) -> None:
    write_rows(tmp_path / "a.parquet", user_id=[""])
    (tmp_path / "b.parquet").write_bytes(b"rubbish")
    write_rows(tmp_path / "c.parquet", event_id=["c"], user_id=[""])
    findings = found_in(tmp_path)
    assert [(Path(f.file).name, f.row) for f in findings] == [("a.parquet", 0), ("b.parquet", -1), ("c.parquet", 0)]
    assert "b.parquet: not readable as Parquet" in str(findings[1])


def test_a_missing_log_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected an event log"):
        validate(tmp_path / "nowhere", now_ms=NOW_MS)
