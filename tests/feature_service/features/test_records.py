"""Tables of records: growth, rows that are used again, blocks of columns, migration by name."""

import numpy as np
import pytest
from numpy.typing import NDArray

from feature_service.features.records import Table, blocks, migrate, record_dtype
from feature_service.features.reducers import Entity, Highest, Latest

DTYPE = np.dtype([("key", "<i8"), ("heat.a", "<i8", (2,)), ("heat.b", "<i8", (2,)), ("name", "<f4")])


def _records(*keys: int) -> NDArray[np.void]:
    records = np.zeros(len(keys), DTYPE)
    records["key"] = keys
    records["name"] = [key / 2 for key in keys]
    return records


def test_row_zero_belongs_to_nobody() -> None:
    table = Table(DTYPE)
    assert table.find(5) == 0
    assert table.row(5) == 1
    assert table.fields["key"][:2].tolist() == [0, 5]


def test_a_table_grows_and_keeps_what_it_holds() -> None:
    table = Table(DTYPE, capacity=2)
    for key in range(1, 100):
        row = table.row(key)
        table.fields["name"][row] = key
    assert len(table) == 99
    assert [float(table.fields["name"][table.find(key)]) for key in (1, 50, 99)] == [1, 50, 99]


def test_records_that_make_the_table_grow_are_put_too() -> None:
    table = Table(DTYPE, capacity=2)
    table.put(_records(*range(1, 10)))
    assert table.all().tobytes() == _records(*range(1, 10)).tobytes()


def test_a_removed_row_is_zeroed_and_used_again() -> None:
    table = Table(DTYPE)
    table.put(_records(7, 8))
    row = table.find(7)
    table.remove(7)
    assert 7 not in table
    assert table.fields["name"][row] == 0
    assert table.row(9) == row
    assert table.fields["name"][row] == 0


def test_removing_an_unknown_key_changes_nothing() -> None:
    table = Table(DTYPE)
    table.put(_records(7))
    table.remove(1)
    assert table.all().tobytes() == _records(7).tobytes()


def test_many_keys_are_found_at_once_and_unknown_ones_are_row_zero() -> None:
    table = Table(DTYPE)
    assert table.find_all(np.array([3, 4])).tolist() == [0, 0]
    table.put(_records(-7, 30, 4))
    wanted = np.array([4, 5, -7, 99, -99, 30])
    assert table.find_all(wanted).tolist() == [table.find(key) for key in wanted.tolist()]
    table.remove(30)
    table.row(5)
    assert table.find_all(wanted).tolist() == [table.find(key) for key in wanted.tolist()]


def test_records_come_by_ascending_key() -> None:
    table = Table(DTYPE)
    table.put(_records(9, -2, 4))
    assert table.all()["key"].tolist() == [-2, 4, 9]


def test_a_dump_holds_every_record_and_no_freed_row() -> None:
    table = Table(DTYPE)
    table.put(_records(9, -2, 4))
    table.remove(-2)
    again = Table(DTYPE)
    again.put(np.frombuffer(table.dump(), DTYPE))
    assert again.all().tobytes() == table.all().tobytes() == _records(4, 9).tobytes()


def test_a_record_is_read_as_bytes() -> None:
    table = Table(DTYPE)
    table.put(_records(3, 4))
    assert table.get(4) == _records(4).tobytes()
    assert table.get(5) is None


def test_fields_of_one_prefix_are_one_block_that_writes_through() -> None:
    table = Table(DTYPE)
    row = table.row(5)
    table.fields["heat"][row, table.place("heat.b")] = (3, 4)
    assert table.fields["heat.b"][row].tolist() == [3, 4]
    assert table.fields["heat.a"][row].tolist() == [0, 0]


def test_fields_of_several_shapes_are_no_block() -> None:
    assert blocks(np.dtype([("key", "<i8"), ("attribute.a", "<i8"), ("attribute.b", "<f4", (2,))])) == {}


def test_migration_copies_by_name_and_starts_new_fields_at_zero() -> None:
    old = _records(3, 4)
    old["heat.b"] = 7
    new = np.dtype([("heat.b", "<i8", (2,)), ("key", "<i8"), ("name", "<f8"), ("new", "<i8")])
    migrated = migrate(old, new)
    assert migrated["key"].tolist() == [3, 4]
    assert migrated["heat.b"].tolist() == [[7, 7], [7, 7]]
    # Of another type: what it meant is not known, so it starts anew.
    assert migrated["name"].tolist() == [0, 0]
    assert migrated["new"].tolist() == [0, 0]


def test_the_dtype_of_an_entity_holds_each_field_once() -> None:
    seen = Highest(Entity.ROOM, "seen_ms", (), lambda event: event.time_ms)
    dtype = record_dtype([seen, seen, Highest(Entity.USER, "other_ms", (), lambda event: 0)], Entity.ROOM)
    assert dtype.names == ("key", "seen_ms")


def test_two_memories_that_declare_a_field_differently_are_refused() -> None:
    one = Highest(Entity.ROOM, "seen", (), lambda event: 0)
    other = Latest(Entity.ROOM, "seen", (), "<f4", lambda event, keys: 0)
    with pytest.raises(ValueError, match=r"room\.seen: expected one declaration"):
        record_dtype([one, other], Entity.ROOM)
