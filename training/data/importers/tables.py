"""Source tables of the importers: CSV and Parquet files as Arrow tables whose columns are checked."""

import gzip
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from feature_service.features.events import AttributeValue
from training.data.errors import DataError
from training.data.locations import first_line

Ints = NDArray[np.int64]
Value = TypeVar("Value", covariant=True)


class ByRow(Protocol[Value]):
    """Something for each row of a table: a list, or a column that makes its values when asked."""

    def __getitem__(self, row: int, /) -> Value:
        """The value of a row."""
        ...


def read_parquet(path: Path, columns: Sequence[str]) -> pa.Table:
    """Reads some columns of a Parquet file; no names read all.

    Raises:
        DataError: The file is not readable as Parquet, or lacks a column.
    """
    with _opened(path, "Parquet") as file:
        return need(pq.read_table(pa.PythonFile(file, mode="r")), columns, path)


def read_csv(
    path: Path,
    columns: Sequence[str],
    *,
    types: Mapping[str, pa.DataType] | None = None,
    separator: str = ",",
    header: Sequence[str] | None = None,
) -> pa.Table:
    """Reads some columns of a CSV file, gzipped if its name ends with `.gz`; no names read all.

    Args:
        path: The file.
        columns: What must be there.
        types: Types that are not to be guessed.
        separator: Between columns.
        header: Names of the columns, for a file that does not say.

    Raises:
        DataError: The file is not readable as CSV, or lacks a column.
    """
    with _opened(path, "CSV") as file:
        table = pa_csv.read_csv(
            file,
            read_options=pa_csv.ReadOptions(column_names=list(header) if header else None),
            parse_options=pa_csv.ParseOptions(delimiter=separator, quote_char='"' if separator == "," else False),
            convert_options=pa_csv.ConvertOptions(column_types=dict(types or {}), strings_can_be_null=False),
        )
    return need(table, columns, path)


def need(table: pa.Table, columns: Sequence[str], path: object) -> pa.Table:
    """The named columns of a table, or all if none is named.

    Raises:
        DataError: A column is not there.
    """
    for column in columns:
        if column not in table.column_names:
            raise DataError(f"{path}: expected a column {column}, found {', '.join(table.column_names)}")
    return table.select(list(columns)) if columns else table


def ints(table: pa.Table, column: str) -> Ints:
    """A column as int64 [N]; nulls are 0.

    Raises:
        DataError: The column holds something else.
    """
    try:
        return table[column].cast(pa.int64(), safe=False).fill_null(0).to_numpy()
    except pa.ArrowException as error:
        raise DataError(f"column {column}: expected whole numbers, received {table[column].type}") from error


def need_rows(table: pa.Table, path: object) -> pa.Table:
    """The table itself.

    Raises:
        DataError: It has no row.
    """
    if not len(table):
        raise DataError(f"{path}: expected rows, found none")
    return table


def texts(table: pa.Table, column: str) -> list[str]:
    """A column as strings; nulls are empty, and whole numbers have no decimal point."""
    return _strings(table[column]).to_pylist()


def words(table: pa.Table, column: str) -> "Words":
    """A column as strings, each different one in memory once; nulls are empty."""
    coded = _strings(table[column]).combine_chunks().dictionary_encode()
    return Words(coded.dictionary.to_pylist(), coded.indices.to_numpy())


def categories(table: pa.Table, columns: Sequence[str]) -> "Categories":
    """The named columns as attributes, one mapping a row; what is not given is left out."""
    return Categories({column: words(table, column) for column in columns})


@dataclass(frozen=True, slots=True)
class Words:
    """Strings by row: `words[codes[row]]`."""

    words: Sequence[str]
    codes: NDArray[np.integer]

    def __getitem__(self, row: int) -> str:
        return self.words[int(self.codes[row])]


@dataclass(frozen=True, slots=True)
class Named:
    """Ids by row: the prefix and the row's number."""

    prefix: str
    numbers: Ints

    def __getitem__(self, row: int) -> str:
        return f"{self.prefix}{self.numbers[row]}"


@dataclass(frozen=True, slots=True)
class Categories:
    """Category attributes by row."""

    columns: Mapping[str, Words]

    def __getitem__(self, row: int) -> dict[str, AttributeValue]:
        return {name: column[row] for name, column in self.columns.items() if column[row]}


def _strings(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Whole numbers that stand as floats, because some are missing, lose the decimal point."""
    if pa.types.is_floating(values.type):
        numbers = values.drop_null().to_numpy()
        if np.array_equal(numbers, np.trunc(numbers)):
            values = values.cast(pa.int64())
    return values.cast(pa.string()).fill_null("")


@contextmanager
def _opened(path: Path, form: str) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as file:
            if path.name.endswith(".gz"):
                with gzip.open(file) as plain:
                    yield plain  # pyright: ignore[reportReturnType]
            else:
                yield file  # pyright: ignore[reportReturnType]
    except FileNotFoundError as error:
        raise DataError(f"{path}: expected a {form} file, found none") from error
    except (pa.ArrowException, OSError, EOFError) as error:
        raise DataError(f"{path}: not readable as {form} ({first_line(error)})") from error
