"""The Arrow schema of events, and events to and from columns; all derived from `Event`'s own fields."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from types import MappingProxyType
from typing import Any, get_type_hints

import pyarrow as pa

from feature_service.features.events import NO_ATTRIBUTES, AttributeValue, Event, EventKind
from training.data.errors import DataError

_ARROW: Mapping[object, pa.DataType] = MappingProxyType(
    {
        str: pa.string(),
        int: pa.int64(),
        float: pa.float64(),
        bool: pa.bool_(),
        EventKind: pa.int8(),
        tuple[float, ...]: pa.list_(pa.float32()),
        Mapping[str, AttributeValue]: pa.string(),
    }
)
"""How a field of `Event` lies in Parquet; attributes are a JSON object, and an empty string where there are none."""

SCHEMA = pa.schema([pa.field(name, _ARROW[kind]) for name, kind in get_type_hints(Event).items()])
"""One column a field of `Event`, in its order."""

REQUIRED_COLUMNS = ("event_id", "kind", "time_ms")
"""Columns that a log must have; any other that a log lacks reads as its default."""

DICTIONARY_COLUMNS = tuple(f.name for f in SCHEMA if f.type == pa.string() and f.name != "event_id")
"""String columns whose values repeat, and which are dictionary-encoded."""

_DEFAULTS: Mapping[str, Any] = MappingProxyType(
    {name: Event._field_defaults.get(name) for name in Event._fields} | {"attributes": ""}
)
_KINDS = MappingProxyType({int(kind): kind for kind in EventKind})


def to_table(events: Sequence[Event]) -> pa.Table:
    """Turns events into a table of `SCHEMA`.

    Raises:
        DataError: An attribute's or a field's value does not fit its column.
    """
    columns = dict(zip(Event._fields, zip(*events, strict=True), strict=True))
    columns["attributes"] = tuple(map(encode_attributes, columns["attributes"]))
    arrays: list[pa.Array] = []
    for field in SCHEMA:
        try:
            arrays.append(pa.array(columns[field.name], type=field.type))
        except (pa.ArrowException, TypeError, OverflowError) as error:
            raise DataError(f"{field.name}: expected {field.type}, {error}") from error
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def to_events(batch: pa.RecordBatch) -> Iterator[Event]:
    """Turns a batch whose columns are some of `SCHEMA` into events, lazily.

    Raises:
        DataError: A column's type, an event kind or an attribute object is not as expected.
    """
    columns: list[Iterable[Any]] = []
    present = set(batch.schema.names)
    for field in SCHEMA:
        if field.name in present:
            columns.append(_values(batch.column(field.name), field))
        else:
            columns.append(repeat(NO_ATTRIBUTES if field.name == "attributes" else _DEFAULTS[field.name]))
    # The required columns end the shortest zip, for absent columns repeat for ever.
    return map(Event._make, zip(*columns, strict=False))


def fill(array: pa.Array | pa.ChunkedArray, name: str) -> Any:
    """A column with the field's default in place of nulls.

    Raises:
        DataError: A required field is null.
    """
    if array.null_count and name in REQUIRED_COLUMNS:
        raise DataError(f"{name}: expected a value in every row, received null")
    return array.fill_null(_DEFAULTS[name]) if array.null_count else array


def default_column(field: pa.Field, rows: int) -> pa.Array:
    """The column of a log that has none of that name: the field's default in every row."""
    return pa.repeat(pa.scalar(_DEFAULTS[field.name], field.type), rows)


def encode_attributes(attributes: Mapping[str, AttributeValue]) -> str:
    """Writes attributes as a JSON object with sorted names; no attributes are an empty string.

    Raises:
        DataError: A value is not finite.
    """
    if not attributes:
        return ""
    try:
        return json.dumps(dict(attributes), sort_keys=True, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    except ValueError as error:
        raise DataError(f"attributes: expected finite numbers, received {dict(attributes)}") from error


def decode_attributes(text: str) -> Mapping[str, AttributeValue]:
    """Reads what `encode_attributes` wrote.

    Raises:
        DataError: The text is no JSON object of strings, numbers and lists of numbers.
    """
    if not text:
        return NO_ATTRIBUTES
    try:
        found = json.loads(text)
        return MappingProxyType({name: _attribute(value) for name, value in found.items()})
    except (ValueError, TypeError, AttributeError) as error:
        raise DataError(
            f"attributes: expected a JSON object of strings, numbers or lists, received {text!r}"
        ) from error


def _attribute(value: str | float | list[float]) -> AttributeValue:
    if isinstance(value, str):
        return value
    return tuple(map(float, value)) if isinstance(value, list) else float(value)


def _values(array: pa.Array, field: pa.Field) -> Iterable[Any]:
    if pa.types.is_dictionary(array.type) and pa.types.is_string(array.type.value_type):
        return _strings(array, field.name)
    if array.type != field.type:
        try:
            array = array.cast(field.type)
        except pa.ArrowException as error:
            raise DataError(f"{field.name}: expected {field.type}, received {array.type}") from error
    if pa.types.is_list(field.type):
        return _vectors(array)
    array = fill(array, field.name)
    if field.name in DICTIONARY_COLUMNS:
        return _strings(array.dictionary_encode(), field.name)
    values = array.to_numpy(zero_copy_only=False).tolist()
    return _kinds(values) if field.name == "kind" else values


def _strings(array: pa.DictionaryArray, name: str) -> Iterable[Any]:
    decode: Callable[[str], Any] = decode_attributes if name == "attributes" else str
    words: list[Any] = list(map(decode, array.dictionary.to_pylist()))
    indices = array.indices
    if indices.null_count:
        words.append(decode(""))
        indices = indices.fill_null(len(words) - 1)
    if len(words) == 1:
        return repeat(words[0], len(array))
    return map(words.__getitem__, indices.to_numpy(zero_copy_only=False).tolist())


def _vectors(array: pa.ListArray) -> Iterable[tuple[float, ...]]:
    values = array.flatten().to_numpy(zero_copy_only=False)
    if not len(values):
        return repeat((), len(array))
    lengths = array.value_lengths().fill_null(0).to_numpy(zero_copy_only=False).tolist()
    vectors: list[tuple[float, ...]] = []
    start = 0
    for length in lengths:
        vectors.append(tuple(values[start : start + length].tolist()) if length else ())
        start += length
    return vectors


def _kinds(numbers: list[int]) -> Iterable[EventKind]:
    unknown = set(numbers) - _KINDS.keys()
    if unknown:
        raise DataError(f"kind: expected a number of EventKind, received {min(unknown)}")
    return map(_KINDS.__getitem__, numbers)
