"""Sample sets at rest: a directory of Parquet shards, on any filesystem that pyarrow knows."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyarrow import fs

from feature_service.features.layout import CANDIDATE_TENSORS, Layout, LayoutError
from training.data.chunks import Chunk, item_shape
from training.data.errors import DataError
from training.data.join import EnterColumns, Labels
from training.data.locations import first_line, locate
from training.data.samples import Candidates, RoomVersions, Samples, Slates

ABOUT = "about.json"
LAYOUT = "layout.json"
SETTINGS = "settings.toml"

_KINDS = ("slates", "candidates", "rooms", "enters")
_CANDIDATE_COLUMNS = ("slate", "room", "streamer", "position", "propensity", "sampled")
_LABEL_COLUMNS = ("labels", "mask", "censored")
_DELAYS = "delay_s"
_ENTER_COLUMNS = ("time_ms", "user", "streamer", "room", "watch_ms")
_ROOM_COLUMNS = ("room", "streamer", "start_ms", "stop_ms")

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class SampleAbout:
    """A sample set's own description, `about.json`.

    Attributes:
        log: The log that it was made from.
        importer: What made the log.
        heads: Heads that have labels.
        lacks: What the log does not have, a sentence each.
        fingerprint: Of the catalogue that computed the features.
        first_ms: Time of the log's first event, Unix milliseconds.
        last_ms: Time of its last.
        events: Events read.
        slates: Slates.
        candidates: Impressions.
        sampled: Of those, drawn among the rooms live then and not shown.
        duplicates: Events left out as duplicates.
        late: Events too late for the records.
        room_versions: Room versions.
    """

    log: str
    importer: str
    heads: tuple[str, ...]
    lacks: tuple[str, ...]
    fingerprint: str
    first_ms: int
    last_ms: int
    events: int
    slates: int
    candidates: int
    sampled: int
    duplicates: int
    late: int
    room_versions: int


class SampleWriter:
    """Writes one sample set, shard by shard; `finish` makes it whole."""

    def __init__(self, uri: str | Path, layout: Layout, *, delays: bool = False) -> None:
        """Opens the directory; what an earlier attempt has left unfinished there is removed.

        Args:
            uri: The directory.
            layout: The columns of the tensors, and the heads.
            delays: Whether to keep how late each label came.

        Raises:
            DataError: It holds something else: a finished sample set, or other Parquet files.
        """
        self._filesystem, self._folder = locate(uri)
        self._shards: dict[str, int] = {}
        self._labels = (*_LABEL_COLUMNS, _DELAYS) if delays else _LABEL_COLUMNS
        self._filesystem.create_dir(self._folder, recursive=True)
        found = [item.base_name for item in self._filesystem.get_file_info(fs.FileSelector(self._folder))]
        parquet = [name for name in found if name.endswith(".parquet")]
        if ABOUT in found or any(name.partition("-")[0] not in _KINDS for name in parquet):
            raise DataError(
                f"{uri}: expected a directory without data, found {min({ABOUT, *parquet} & {*found})} in it"
            )
        for name in parquet:
            self._filesystem.delete_file(f"{self._folder}/{name}")
        self._text(LAYOUT, json.dumps(layout.to_strings(), indent=2) + "\n")

    def chunk(self, chunk: Chunk, labels: Labels) -> None:
        """Writes a shard of slates and one of their candidates, with their labels."""
        slates, candidates = chunk.slates, chunk.candidates
        self._shard("slates", {**slates.tensors, "time_ms": slates.time_ms, "user": slates.user})
        columns = {name: getattr(candidates, name) for name in _CANDIDATE_COLUMNS}
        columns |= {name: getattr(labels, name) for name in self._labels}
        self._shard("candidates", {**candidates.tensors, **columns})

    def rooms(self, rooms: RoomVersions) -> None:
        """Writes a shard of room versions; an empty one only if there is none yet, to say their columns."""
        if len(rooms.room) or "rooms" not in self._shards:
            self._shard("rooms", {**rooms.tensors, **{name: getattr(rooms, name) for name in _ROOM_COLUMNS}})

    def enters(self, enters: EnterColumns) -> None:
        """Writes all visits that began."""
        self._shard("enters", {name: getattr(enters, name) for name in _ENTER_COLUMNS})

    def finish(self, about: SampleAbout, settings_toml: str) -> None:
        """Writes the settings that a service needs, and last the description, without which the set is unfinished."""
        self._text(SETTINGS, settings_toml)
        self._text(ABOUT, json.dumps(asdict(about), indent=2) + "\n")

    def _shard(self, kind: str, arrays: Arrays) -> None:
        number = self._shards.get(kind, 0)
        self._shards[kind] = number + 1
        columns = {name: _to_arrow(values) for name, values in arrays.items()}
        with self._filesystem.open_output_stream(f"{self._folder}/{kind}-{number:05d}.parquet") as file:
            # Hashed keys and floats do not repeat enough for dictionaries; zstd finds the zeros.
            pq.write_table(pa.table(columns), file, compression="zstd", use_dictionary=False, write_statistics=False)

    def _text(self, name: str, text: str) -> None:
        with self._filesystem.open_output_stream(f"{self._folder}/{name}") as file:
            file.write(text.encode())


def read_samples(uri: str | Path) -> Samples:
    """Reads all samples of a set into memory.

    Raises:
        DataError: No finished sample set, or a shard that is not readable (named).
    """
    about = read_sample_about(uri)
    reader = _Reader(uri)
    layout = reader.layout()
    tensors = [tensor.name for tensor in layout.tensors]
    slates = reader.arrays("slates", [*(n for n in tensors if n not in CANDIDATE_TENSORS), "time_ms", "user"])
    names = [*(n for n in tensors if n in CANDIDATE_TENSORS), *_CANDIDATE_COLUMNS, *_LABEL_COLUMNS]
    candidates = reader.arrays("candidates", names, optional=(_DELAYS,))
    found = len(slates["user"]), len(candidates["room"])
    if found != (about.slates, about.candidates):
        raise DataError(f"{uri}: expected {about.slates} slates and {about.candidates} candidates, found {found}")
    user_side = {
        tensor.name: slates.pop(tensor.name).reshape(-1, *item_shape(tensor))
        for tensor in layout.tensors
        if tensor.name in slates
    }
    candidate_side = {name: candidates.pop(name) for name in tensors if name in candidates}
    return Samples(layout, Slates(user_side, **slates), Candidates(candidate_side, **candidates))


def read_rooms(uri: str | Path) -> RoomVersions:
    """Reads the room versions of a set.

    Raises:
        DataError: As `read_samples`.
    """
    reader = _Reader(uri)
    tensors = [tensor.name for tensor in reader.layout().tensors if tensor.name in CANDIDATE_TENSORS]
    arrays = reader.arrays("rooms", [*tensors, *_ROOM_COLUMNS])
    return RoomVersions({name: arrays.pop(name) for name in tensors}, **arrays)


def read_enters(uri: str | Path) -> EnterColumns:
    """Reads the visits that began.

    Raises:
        DataError: As `read_samples`.
    """
    return EnterColumns(**_Reader(uri).arrays("enters", _ENTER_COLUMNS))


def read_sample_about(uri: str | Path) -> SampleAbout:
    """Reads the description of a finished sample set.

    Raises:
        DataError: There is none, or it is not what `SampleWriter` writes.
    """
    found = _Reader(uri).json(ABOUT)
    try:
        return SampleAbout(**{**found, "heads": tuple(found["heads"]), "lacks": tuple(found["lacks"])})
    except (TypeError, KeyError) as error:
        raise DataError(f"{uri}/{ABOUT}: expected the fields of a sample set ({first_line(error)})") from error


class _Reader:
    """Reads the shards of one directory; errors name the file."""

    def __init__(self, uri: str | Path) -> None:
        self._uri = uri
        self._filesystem, self._folder = locate(uri)

    def json(self, name: str) -> dict[str, Any]:
        """An object at rest.

        Raises:
            DataError: There is no such file, or it is no JSON.
        """
        path = f"{self._folder}/{name}"
        try:
            with self._filesystem.open_input_file(path) as file:
                return json.loads(file.read())
        except FileNotFoundError:
            raise DataError(f"{self._uri}: expected a finished sample set, found no {name} in it") from None
        except (OSError, ValueError, pa.ArrowException) as error:
            raise DataError(f"{path}: not readable as JSON ({first_line(error)})") from error

    def layout(self) -> Layout:
        """The layout of the tensors.

        Raises:
            DataError: The file is missing or no layout.
        """
        try:
            return Layout.from_strings(self.json(LAYOUT))
        except LayoutError as error:
            raise DataError(f"{self._folder}/{LAYOUT}: {error}") from error

    def arrays(self, kind: str, names: Sequence[str], optional: Sequence[str] = ()) -> dict[str, NDArray[Any]]:
        """Columns of all shards of a kind, each allocated once: a shard is all that is held beside them.

        Optional ones are left out where the first shard lacks them.

        Raises:
            DataError: There is no shard, or one is not readable or lacks a column.
        """
        found = self._filesystem.get_file_info(fs.FileSelector(self._folder))
        paths = sorted(item.path for item in found if item.base_name.startswith(f"{kind}-"))
        if not paths:
            raise DataError(f"{self._uri}: expected {kind}-*.parquet, found none")
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


def _to_arrow(values: NDArray[Any]) -> pa.Array:
    """A column; an item of more than a number is a list of fixed size, [n, …] → [n, numbers an item]."""
    flat = pa.array(values.reshape(-1))
    return flat if values.ndim == 1 else pa.FixedSizeListArray.from_arrays(flat, int(np.prod(values.shape[1:])))


def _to_numpy(column: pa.ChunkedArray) -> NDArray[Any]:
    """The inverse of `_to_arrow`; an item keeps one dimension."""
    values = column.combine_chunks()
    if not pa.types.is_fixed_size_list(values.type):
        return values.to_numpy(zero_copy_only=False)
    return values.flatten().to_numpy(zero_copy_only=False).reshape(-1, values.type.list_size)
