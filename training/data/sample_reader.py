"""The reader of sample sets: columns of all shards, of a set that is one whole or of the hours of one in parts."""

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyarrow import fs

from feature_service.features.layout import Layout, LayoutError
from training.data.errors import DataError
from training.data.hours import hour_name, hours_in, newest_revision
from training.data.locations import first_line, locate

ABOUT = "about.json"
LAYOUT = "layout.json"
SETTINGS = "settings.toml"

Hours = tuple[int, int]
"""The first hour and the last, since the Unix epoch."""


class SampleReader:
    """Reads the finished folders of one set, oldest first; errors name the file.

    Attributes:
        folders: Of a set in parts the newest revision of each hour; else the set's own.
    """

    def __init__(self, uri: str | Path, hours: Hours | None = None) -> None:
        """Looks for the folders.

        Args:
            uri: The set.
            hours: Of a set in parts, those wanted; None = all.

        Raises:
            DataError: None of the hours has a finished revision, or a set that is one whole is asked for hours.
        """
        self._uri = uri
        self._filesystem, folder = locate(uri)
        there = hours_in(self._filesystem, folder)
        self.folders = self._newest(folder, there, hours) if there or hours else [folder]

    @cached_property
    def layout(self) -> Layout:
        """The layout of the tensors; of hours, that of the newest.

        Raises:
            DataError: The file is missing or no layout.
        """
        return self._layout(self.folders[-1])

    @cached_property
    def alike(self) -> list[str]:
        """The folders whose tensors have the columns of the layout.

        Raises:
            DataError: As `layout`.
        """
        older = [folder for folder in self.folders[:-1] if self._layout(folder).tensors == self.layout.tensors]
        return [*older, self.folders[-1]]

    def abouts(self) -> list[dict[str, Any]]:
        """The descriptions, one a folder.

        Raises:
            DataError: One is missing, or no JSON.
        """
        return [self._json(folder, ABOUT) for folder in self.folders]

    def settings(self) -> tuple[str, str]:
        """The newest settings, and where they lie."""
        path = f"{self.folders[-1]}/{SETTINGS}"
        with self._filesystem.open_input_file(path) as file:
            return file.read().decode(), path

    def arrays(
        self, shards: Mapping[str, Sequence[str]], names: Sequence[str], optional: Sequence[str] = ()
    ) -> dict[str, NDArray[Any]]:
        """Columns of all shards of some kinds, each allocated once: a shard is all that is held beside them.

        Args:
            shards: The folders of each kind's shards.
            names: The columns.
            optional: Columns that are left out where the first shard lacks them.

        Raises:
            DataError: There is no shard, or one is not readable or lacks a column.
        """
        paths = [path for kind, folders in shards.items() for folder in folders for path in self._paths(folder, kind)]
        if not paths:
            raise DataError(f"{self._uri}: expected {next(iter(shards))}-*.parquet, found none")
        described = [self._described(path) for path in paths]
        counts = [each.num_rows for each in described]
        names = [*names, *(name for name in optional if name in described[0].schema.to_arrow_schema().names)]
        arrays: dict[str, NDArray[Any]] = {}
        start = 0
        for path, count in zip(paths, counts, strict=True):
            for name, values in self._shard(path, names).items():
                if name not in arrays:
                    arrays[name] = np.empty((sum(counts), *values.shape[1:]), values.dtype)
                arrays[name][start : start + count] = values
            start += count
        return arrays

    def _newest(self, folder: str, there: Sequence[int], hours: Hours | None) -> list[str]:
        wanted = [hour for hour in there if hours is None or hours[0] <= hour <= hours[1]]
        found = [newest_revision(self._filesystem, folder, hour, ABOUT) for hour in wanted]
        if folders := [each.path for each in found if each is not None]:
            return folders
        span = f" from {hour_name(hours[0])} to {hour_name(hours[1])}" if hours else ""
        raise DataError(f"{self._uri}: expected a finished revision of an hour{span}, found none")

    def _layout(self, folder: str) -> Layout:
        try:
            return Layout.from_strings(self._json(folder, LAYOUT))
        except LayoutError as error:
            raise DataError(f"{folder}/{LAYOUT}: {error}") from error

    def _json(self, folder: str, name: str) -> dict[str, Any]:
        path = f"{folder}/{name}"
        try:
            with self._filesystem.open_input_file(path) as file:
                return json.loads(file.read())
        except FileNotFoundError:
            raise DataError(f"{self._uri}: expected a finished sample set, found no {name} in it") from None
        except (OSError, ValueError, pa.ArrowException) as error:
            raise DataError(f"{path}: not readable as JSON ({first_line(error)})") from error

    def _paths(self, folder: str, kind: str) -> list[str]:
        found = self._filesystem.get_file_info(fs.FileSelector(folder))
        return sorted(item.path for item in found if item.base_name.startswith(f"{kind}-"))

    def _described(self, path: str) -> pq.FileMetaData:
        try:
            return pq.read_metadata(path, filesystem=self._filesystem)
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{path}: not readable as Parquet ({first_line(error)})") from error

    def _shard(self, path: str, names: Sequence[str]) -> dict[str, NDArray[Any]]:
        try:
            with (
                self._filesystem.open_input_file(path) as file,
                pq.ParquetFile(file) as shard,
            ):
                missing = [name for name in names if name not in shard.schema_arrow.names]
                if missing:
                    raise DataError(f"{path}: expected a column {missing[0]}, found none")
                table = shard.read(columns=list(names))
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{path}: not readable as Parquet ({first_line(error)})") from error
        return {name: _to_numpy(table[name]) for name in names}


def _to_numpy(column: pa.ChunkedArray) -> NDArray[Any]:
    """The inverse of `_to_arrow`; an item keeps one dimension."""
    values = column.combine_chunks()
    if not pa.types.is_fixed_size_list(values.type):
        return values.to_numpy(zero_copy_only=False)
    return values.flatten().to_numpy(zero_copy_only=False).reshape(-1, values.type.list_size)
