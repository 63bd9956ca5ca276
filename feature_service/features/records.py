"""Records: numeric state in numpy structured arrays, whose dtype follows from what the features declare."""

import math
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_service.features.reducers import Entity, Fields, FieldSpec, Memory

RecordDtype = np.dtype[np.void]

_FEW = 32  # Below, a table's order, which every new key upsets, is not worth its making.


def record_dtype(memories: Iterable[Memory], entity: Entity) -> RecordDtype:
    """The dtype of an entity's record: the fields of its memories, each once, in the order of their names.

    Raises:
        ValueError: Two memories declare one field differently.
    """
    specs: dict[str, FieldSpec] = {}
    for memory in memories:
        if memory.entity is not entity:
            continue
        for spec in memory.fields():
            if specs.setdefault(spec[0], spec) != spec:
                raise ValueError(f"{entity}.{spec[0]}: expected one declaration, received {specs[spec[0]]} and {spec}")
    return np.dtype([("key", "<i8"), *(specs[name] for name in sorted(specs))])


def migrate(source: NDArray[np.void], dtype: RecordDtype) -> NDArray[np.void]:
    """Copies records of another layout: fields of the same name, type and shape; the others start at zero.

    Args:
        source: Records of the previous dtype, [n].
        dtype: The present dtype.

    Returns:
        Records of the present dtype, [n].
    """
    if source.dtype == dtype:
        return source
    records = np.zeros(len(source), dtype)
    for name in dtype.names or ():
        if name in (source.dtype.names or ()) and source.dtype[name] == dtype[name]:
            records[name] = source[name]
    return records


class Table:
    """Records of one entity by key. Row 0 is the record of whom nothing is known: zeros, never written.

    `fields` holds the columns by name, [capacity, …], and a block of fields `prefix.name` of one shape under their
    prefix, [capacity, fields, …]. They are views of the records, valid until the next new key.
    """

    def __init__(self, dtype: RecordDtype, capacity: int = 64) -> None:
        self._records = np.zeros(capacity, dtype)
        self._rows: dict[int, int] = {}
        self._used = 1
        self._free: list[int] = []
        self._ordered: tuple[NDArray[np.int64], NDArray[np.intp]] | None = None
        self._spots, self._places = _spots(dtype), _places(dtype)
        self.fields: Fields = self._columns()

    def __len__(self) -> int:
        """Number of records."""
        return len(self._rows)

    def __contains__(self, key: object) -> bool:
        """Whether the key has a record."""
        return key in self._rows

    def __iter__(self) -> Iterator[int]:
        """The keys, in the order of their coming."""
        return iter(self._rows)

    @property
    def dtype(self) -> RecordDtype:
        """The records' dtype."""
        return self._records.dtype

    def place(self, name: str) -> int:
        """Where a field stands in the block of its prefix."""
        return self._places[name]

    def find(self, key: int) -> int:
        """The key's row; 0 when it has none."""
        return self._rows.get(key, 0)

    def rows_of(self, key: int) -> NDArray[np.intp]:
        """The key's row as an array, intp [1]; 0 when it has none."""
        return np.array([self._rows.get(key, 0)], np.intp)

    def row(self, key: int) -> int:
        """The key's row, a new one when it has none."""
        row = self._rows.get(key)
        return self._add(key) if row is None else row

    def find_all(self, keys: NDArray[np.int64]) -> NDArray[np.intp]:
        """The rows of many keys, 0 for the unknown ones; a binary search over all keys, unless it is but a few."""
        if not self._rows:
            return np.zeros(len(keys), np.intp)
        if len(keys) <= _FEW:
            return np.array([self._rows.get(key, 0) for key in keys.tolist()], np.intp)
        if self._ordered is None:
            held = np.fromiter(self._rows, np.int64, len(self._rows))
            rows = np.fromiter(self._rows.values(), np.intp, len(self._rows))
            order = np.argsort(held)
            self._ordered = held[order], rows[order]
        held, rows = self._ordered
        places = np.minimum(np.searchsorted(held, keys), len(held) - 1)
        return np.where(held[places] == keys, rows[places], 0)

    def gather(self, rows: NDArray[np.intp]) -> NDArray[np.uint8]:
        """A copy of the records in these rows, [n, bytes of a record]: one move of memory a row."""
        return self._bytes.take(rows, axis=0)

    def column(self, records: NDArray[np.uint8], name: str) -> NDArray[Any]:
        """A column of gathered records, or a block of columns, [n, …]; a view."""
        dtype, shape, offset, strides = self._spots[name]
        count, size = records.shape
        if not count:  # An offset into no bytes is refused.
            return np.zeros((0, *shape), dtype)
        return np.ndarray((count, *shape), dtype, records, offset, (size, *strides))

    def get(self, key: int) -> bytes | None:
        """The key's record as bytes."""
        row = self._rows.get(key)
        return None if row is None else self._records[row : row + 1].tobytes()

    def put(self, records: NDArray[np.void]) -> None:
        """Sets records, [n]; each one's `key` says whose it is."""
        self._reserve(len(records))  # So that no new key moves the records meanwhile.
        self._records[[self.row(key) for key in records["key"].tolist()]] = records

    def remove(self, key: int) -> None:
        """Forgets a key; its row is zeroed and used again."""
        row = self._rows.pop(key, None)
        if row is not None:
            self._records[row] = np.zeros((), self.dtype)
            self._free.append(row)
            self._ordered = None

    def all(self) -> NDArray[np.void]:
        """A copy of the records, [n], by ascending key."""
        keys = np.fromiter(self._rows, np.int64, len(self._rows))
        rows = np.fromiter(self._rows.values(), np.intp, len(self._rows))
        return self._records[rows[np.argsort(keys)]]

    def select(self, keys: Iterable[int]) -> NDArray[np.void]:
        """A copy of the records of some keys, of those that have one, in their order, [n]."""
        return self._records[[self._rows[key] for key in keys if key in self._rows]]

    def dump(self) -> bytes:
        """The bytes of all records, one behind the other, in no order that means anything."""
        held = self._records[1 : self._used]
        return (held[held["key"] != 0] if self._free else held).tobytes()

    def _add(self, key: int) -> int:
        if self._free:
            row = self._free.pop()
        else:
            self._reserve(1)
            row = self._used
            self._used += 1
        self._rows[key] = row
        self._ordered = None
        self.fields["key"][row] = key
        return row

    def _reserve(self, more: int) -> None:
        """Makes room for so many new records; moves what is there, at most once."""
        held = capacity = len(self._records)
        while capacity < self._used + more - len(self._free):
            capacity *= 2
        if capacity > held:
            grown = np.zeros(capacity, self.dtype)
            grown[:held] = self._records
            self._records = grown
            self.fields = self._columns()

    def _columns(self) -> Fields:
        self._bytes = self._records.view(np.uint8).reshape(len(self._records), -1)
        return {name: self.column(self._bytes, name) for name in self._spots}


Spot = tuple[np.dtype[Any], tuple[int, ...], int, tuple[int, ...]]
"""Where a field or a block of fields lies in a record: number type, shape, offset and strides in bytes."""


@cache
def _spots(dtype: RecordDtype) -> dict[str, Spot]:
    """The fields by name, and the blocks by prefix."""
    spots: dict[str, Spot] = {}
    for name, (field, offset, *_) in (dtype.fields or {}).items():
        spots[name] = field.base, field.shape, offset, _strides(field.base.itemsize, field.shape)
    for prefix, names in blocks(dtype).items():
        base, shape, offset, strides = spots[names[0]]
        spots[prefix] = base, (len(names), *shape), offset, (dtype[names[0]].itemsize, *strides)
    return spots


def _strides(itemsize: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Of numbers that lie one behind the other."""
    return tuple(itemsize * math.prod(shape[axis + 1 :]) for axis in range(len(shape)))


@cache
def _places(dtype: RecordDtype) -> dict[str, int]:
    """Where a field stands in the block of its prefix."""
    return {name: place for names in blocks(dtype).values() for place, name in enumerate(names)}


def blocks(dtype: RecordDtype) -> dict[str, list[str]]:
    """Fields `prefix.name` of one dtype and shape by their prefix, in the order in which they lie in the record."""
    groups: dict[str, list[str]] = {}
    for name in dtype.names or ():
        prefix, dot, _ = name.partition(".")
        if dot:
            groups.setdefault(prefix, []).append(name)
    return {prefix: names for prefix, names in groups.items() if len({dtype[name] for name in names}) == 1}
