"""A platform's own tables, mapped to events by a TOML file.

```toml
[[table]]                       # as many as needed; one file may stand in several
path = "clicks.csv"             # beside the TOML file; .csv, .csv.gz, .tsv or .parquet
kind = "enter"                  # a kind of event, in lower case
where = { is_click = "1" }      # only rows in which these columns read so

[table.columns]                 # field of the event = column of the table
time_ms = "timestamp"
user_id = "uid"
room_id = "live_id"
request_id = "request"

[table.scale]                   # field = factor, as where the platform counts seconds; dates need none
time_ms = 1000

[table.constants]               # field of the event = value for all rows
scene = "live_tab"

[table.attributes]              # attribute = column: text becomes a category, numbers a number, lists a vector
age_band = "age"
```

`time_ms` must be mapped; an event without `event_id` is numbered by table and row. Where a table does not map
`streamer_id`, it is filled in from the tables of kind `room_started`. Ids stay as the platform writes them. An unknown
key or field fails with its name. Events are sorted by time of receipt, or else by their time; of those at one time, an
earlier table's come first.

What the data lacks depends on the tables: a head whose event no table gives has no label and is left out.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_type_hints

import numpy as np
import pyarrow as pa

from feature_service.features.events import REQUIRED, AttributeValue, Event, EventKind
from training.data.about import ENTITIES
from training.data.errors import DataError
from training.data.importers.merge import Block, merge
from training.data.importers.tables import need, read_csv, read_parquet, texts
from training.data.locations import first_line
from training.heads import HEAD_NAMES

NAME = "columns"
LACKS = ("whatever the mapped tables do not hold",)
HEADS = HEAD_NAMES

_TABLE_KEYS = ("path", "kind", "where", "columns", "scale", "constants", "attributes")
_MAPPED = tuple(name for name in Event._fields if name not in ("kind", "attributes"))
_TYPES = get_type_hints(Event)
_ARROW = MappingProxyType({int: pa.int64(), float: pa.float64(), bool: pa.bool_()})


def events(source: Path) -> Iterator[Event]:
    """The rows of all mapped tables as events in order of time.

    Args:
        source: The TOML file.

    Raises:
        DataError: A key, field, kind or unit is unknown, a table or a column is not there, or a value does not fit.
    """
    tables = _mapping(source)
    owners: dict[str, str] = {}
    mapped = [_mapped(table, number, source) for number, table in enumerate(tables, start=1)]
    for columns, kind in mapped:
        if kind is EventKind.ROOM_STARTED and {"room_id", "streamer_id"} <= columns.keys():
            owners.update(zip(columns["room_id"], columns["streamer_id"], strict=True))
    return merge([_block(columns, kind, owners) for columns, kind in mapped])


def _mapping(source: Path) -> list[dict[str, Any]]:
    try:
        found = tomllib.loads(source.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{source}: not readable as TOML ({first_line(error)})") from error
    _known(found, ("table",), str(source))
    tables = found.get("table", [])
    if not tables or not isinstance(tables, list):
        raise DataError(f"{source}: expected at least one [[table]]")
    for number, table in enumerate(tables, start=1):
        where = f"{source}: table {number}"
        _known(table, _TABLE_KEYS, where)
        for key in ("path", "kind", "columns"):
            if key not in table:
                raise DataError(f"{where}: expected a key {key}")
        for key in ("where", "columns", "scale", "constants", "attributes"):
            if not isinstance(table.get(key, {}), dict):
                raise DataError(f"{where}: {key}: expected a table, received {table[key]!r}")
        _known(table["columns"], _MAPPED, f"{where}: columns")
        _known(table.get("constants", {}), _MAPPED, f"{where}: constants")
        _check_scale(table, f"{where}: scale")
        if "time_ms" not in table["columns"]:
            raise DataError(f"{where}: columns: expected a column for time_ms")
        if not isinstance(table["path"], str):
            raise DataError(f"{where}: path: expected a text, received {table['path']!r}")
    return tables


def _check_scale(table: Mapping[str, Any], where: str) -> None:
    """Refuses a scale of a field that is not mapped or no number, and a factor that is none."""
    scale = table.get("scale", {})
    _known(scale, [field for field in table["columns"] if _TYPES[field] in (int, float)], where)
    for field, factor in scale.items():
        if type(factor) not in (int, float):
            raise DataError(f"{where}: {field}: expected a number, received {factor!r}")


def _known(found: Mapping[str, Any], expected: Sequence[str], where: str) -> None:
    for key in found:
        if key not in expected:
            raise DataError(f"{where}: unknown key {key}, expected {', '.join(expected)}")


def _mapped(table: Mapping[str, Any], number: int, source: Path) -> tuple[dict[str, list[Any]], EventKind]:
    """The event columns of one table, and the kind of its events."""
    where = f"{source}: table {number}"
    kinds = {kind.name.lower(): kind for kind in EventKind}
    if table["kind"] not in kinds:
        raise DataError(f"{where}: kind: expected one of {', '.join(kinds)}, received {table['kind']}")
    kind, names = kinds[table["kind"]], table.get("attributes", {})
    if names and kind not in ENTITIES:
        carriers = ", ".join(each.name.lower() for each in ENTITIES)
        raise DataError(f"{where}: attributes: expected them with a kind of {carriers}, received {table['kind']}")
    path = source.parent / table["path"]
    data = _filtered(_read(path), table.get("where", {}), path)
    count = len(data)
    columns: dict[str, list[Any]] = {"event_id": [f"{table['kind']}-{number}-{row}" for row in range(count)]}
    for field, value in table.get("constants", {}).items():
        columns[field] = [_constant(field, value, where)] * count
    scale = table.get("scale", {})
    for field, name in table["columns"].items():
        need(data, (name,), path)
        columns[field] = _values(data[name], field, scale.get(field, 1), f"{path}: {name}")
    need(data, list(names.values()), path)
    if names:
        lists = [_attribute_values(data[name]) for name in names.values()]
        columns["attributes"] = [_given(names, row) for row in zip(*lists, strict=True)]
    return columns, kind


def _read(path: Path) -> pa.Table:
    if path.suffix == ".parquet":
        return read_parquet(path, ())
    return read_csv(path, (), separator="\t" if ".tsv" in path.suffixes else ",")


def _filtered(data: pa.Table, where: Mapping[str, Any], path: Path) -> pa.Table:
    need(data, list(where), path)
    for column, value in where.items():
        wanted = str(value).lower() if isinstance(value, bool) else str(value)
        data = data.filter(pa.array(np.array(texts(data, column), object) == wanted, pa.bool_()))
    return data


def _values(column: pa.ChunkedArray, field: str, scale: float, where: str) -> list[Any]:
    """A column as values of an event's field; what is not given becomes the field's default."""
    kind, default = _TYPES[field], Event._field_defaults.get(field, "")
    try:
        if kind is str:
            return texts(pa.table({field: column}), field)
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.timestamp("ms"), safe=False).cast(pa.int64())
        if kind in (int, float) and scale != 1:
            scaled = np.where(column.is_null(), default or 0, column.cast(pa.float64()).to_numpy() * scale)
            return np.rint(scaled).astype(np.int64).tolist() if kind is int else scaled.tolist()
        if kind in _ARROW:
            return column.cast(_ARROW[kind], safe=False).fill_null(default or 0).to_pylist()
        return [tuple(map(float, vector or ())) for vector in column.to_pylist()]
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise DataError(f"{where}: expected values for {field}, received {column.type}") from error


def _constant(field: str, value: object, where: str) -> Any:
    kind = _TYPES[field]
    if kind is float and isinstance(value, int | float):
        return float(value)
    if kind in (str, int, bool) and type(value) is kind:
        return value
    raise DataError(f"{where}: constants: {field}: expected {getattr(kind, '__name__', kind)}, received {value!r}")


def _attribute_values(column: pa.ChunkedArray) -> list[AttributeValue | None]:
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        return [tuple(map(float, value)) if value is not None else None for value in column.to_pylist()]
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        return column.cast(pa.float64()).to_pylist()
    return column.cast(pa.string()).to_pylist()


def _given(names: Mapping[str, str], row: Sequence[AttributeValue | None]) -> Mapping[str, AttributeValue]:
    return MappingProxyType({name: value for name, value in zip(names, row, strict=True) if value not in (None, "")})


def _block(columns: dict[str, list[Any]], kind: EventKind, owners: Mapping[str, str]) -> Block:
    if "streamer_id" not in columns and "room_id" in columns and "streamer_id" in REQUIRED[kind]:
        columns["streamer_id"] = [owners.get(room, "") for room in columns["room_id"]]
    fields = tuple(columns)
    rows = list(zip(*columns.values(), strict=True))

    def event(row: int) -> Event:
        return Event(kind=kind, **dict(zip(fields, rows[row], strict=True)))

    time_ms = np.array(columns["time_ms"], np.int64)
    received_ms = np.array(columns.get("received_ms", [0] * len(rows)), np.int64)
    return Block(np.where(received_ms > 0, received_ms, time_ms), event)
