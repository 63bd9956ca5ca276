"""Sample sets at rest: a directory of Parquet shards, on any filesystem that pyarrow knows."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyarrow import fs

from feature_service.features.layout import CANDIDATE_TENSORS, Layout
from training.data.chunks import Chunk, item_shape
from training.data.errors import DataError
from training.data.join import EnterColumns, Labels
from training.data.locations import first_line, locate
from training.data.sample_reader import ABOUT, LAYOUT, SETTINGS, Hours, SampleReader
from training.data.samples import Candidates, RoomVersions, Samples, Slates

_KINDS = ("slates", "candidates", "rooms", "carried", "enters")
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


def merged(parts: Sequence[SampleAbout], alike: Sequence[SampleAbout]) -> SampleAbout:
    """The description of parts that are read as one.

    Args:
        parts: Of each, oldest first.
        alike: Of those among them whose samples have the columns of the newest.
    """
    newest = parts[-1]
    lacks = tuple(dict.fromkeys(sentence for part in parts for sentence in part.lacks))
    if len(alike) < len(parts):
        lacks += (f"the samples of {len(parts) - len(alike)} hours whose columns are others than the newest hour's",)
    return replace(
        newest,
        lacks=lacks,
        first_ms=min(part.first_ms for part in parts),
        last_ms=max(part.last_ms for part in parts),
        events=sum(part.events for part in parts),
        duplicates=sum(part.duplicates for part in parts),
        late=sum(part.late for part in parts),
        slates=sum(part.slates for part in alike),
        candidates=sum(part.candidates for part in alike),
        sampled=sum(part.sampled for part in alike),
        room_versions=sum(part.room_versions for part in alike),
    )


class SampleWriter:
    """Writes one sample set, shard by shard; `finish` makes it whole."""

    def __init__(self, uri: str | Path, layout: Layout, *, delays: bool = False, part: str = "") -> None:
        """Opens the directory; what an earlier attempt has left unfinished there is removed.

        Args:
            uri: The directory.
            layout: The columns of the tensors, and the heads.
            delays: Whether to keep how late each label came.
            part: A folder in it, if what is written is a part of a set.

        Raises:
            DataError: It holds something else: a finished sample set, or other Parquet files.
        """
        self._filesystem, folder = locate(uri)
        self._folder = f"{folder}/{part}" if part else folder
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
            self._rooms("rooms", rooms)

    def carried(self, rooms: RoomVersions) -> None:
        """Writes the room versions of an hour that go on beyond it; read where no later hour is."""
        self._rooms("carried", rooms)

    def enters(self, enters: EnterColumns) -> None:
        """Writes all visits that began."""
        self._shard("enters", {name: getattr(enters, name) for name in _ENTER_COLUMNS})

    def finish(self, about: SampleAbout, settings_toml: str) -> None:
        """Writes the settings that a service needs, and last the description, without which the set is unfinished."""
        self._text(SETTINGS, settings_toml)
        self._text(ABOUT, json.dumps(asdict(about), indent=2) + "\n")

    def _rooms(self, kind: str, rooms: RoomVersions) -> None:
        self._shard(kind, {**rooms.tensors, **{name: getattr(rooms, name) for name in _ROOM_COLUMNS}})

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


def read_samples(uri: str | Path, hours: Hours | None = None) -> Samples:
    """Reads all samples of a set into memory.

    A set in parts reads as one, its newest hour deciding on the columns: hours with others are left out.

    Args:
        uri: The set.
        hours: Of a set in parts, those wanted; None = all.

    Raises:
        DataError: No finished sample set, or a shard that is not readable (named).
    """
    reader = SampleReader(uri, hours)
    abouts, layout = _abouts(reader, uri), reader.layout
    tensors = [tensor.name for tensor in layout.tensors]
    names = [*(n for n in tensors if n not in CANDIDATE_TENSORS), "time_ms", "user"]
    slates = reader.arrays({"slates": reader.alike}, names)
    names = [*(n for n in tensors if n in CANDIDATE_TENSORS), *_CANDIDATE_COLUMNS, *_LABEL_COLUMNS]
    candidates = reader.arrays({"candidates": reader.alike}, names, optional=(_DELAYS,))
    counts = np.array([(abouts[folder].slates, abouts[folder].candidates) for folder in reader.alike])
    found, (expected_slates, expected) = (len(slates["user"]), len(candidates["room"])), counts.sum(axis=0).tolist()
    if found != (expected_slates, expected):
        raise DataError(
            f"{uri}: expected {expected_slates} slates and {expected} candidates, found {found[0]} and {found[1]}"
        )
    before = np.cumsum(counts[:, 0]) - counts[:, 0]
    candidates["slate"] += np.repeat(before, counts[:, 1]).astype(np.int32)  # Each part counts its own from 0.
    user_side = {
        tensor.name: slates.pop(tensor.name).reshape(-1, *item_shape(tensor))
        for tensor in layout.tensors
        if tensor.name in slates
    }
    candidate_side = {name: candidates.pop(name) for name in tensors if name in candidates}
    return Samples(layout, Slates(user_side, **slates), Candidates(candidate_side, **candidates))


def read_rooms(uri: str | Path, hours: Hours | None = None) -> RoomVersions:
    """Reads the room versions of a set; of hours, those that ended in them or went on beyond the last.

    Raises:
        DataError: As `read_samples`.
    """
    reader = SampleReader(uri, hours)
    tensors = [tensor.name for tensor in reader.layout.tensors if tensor.name in CANDIDATE_TENSORS]
    shards = {"rooms": reader.alike, "carried": reader.alike[-1:]}
    arrays = reader.arrays(shards, [*tensors, *_ROOM_COLUMNS])
    return RoomVersions({name: arrays.pop(name) for name in tensors}, **arrays)


def read_enters(uri: str | Path, hours: Hours | None = None) -> EnterColumns:
    """Reads the visits that began.

    Raises:
        DataError: As `read_samples`.
    """
    reader = SampleReader(uri, hours)
    return EnterColumns(**reader.arrays({"enters": reader.folders}, _ENTER_COLUMNS))


def read_sample_about(uri: str | Path, hours: Hours | None = None) -> SampleAbout:
    """Reads the description of a finished sample set; that of hours tells of the samples that are read.

    Raises:
        DataError: There is none, or it is not what `SampleWriter` writes.
    """
    reader = SampleReader(uri, hours)
    abouts = _abouts(reader, uri)
    return merged(list(abouts.values()), [abouts[folder] for folder in reader.alike])


def read_settings(uri: str | Path) -> tuple[str, str]:
    """Reads the settings that a service needs for a set's features: the text, and the file's name in errors."""
    return SampleReader(uri).settings()


def _abouts(reader: SampleReader, uri: str | Path) -> dict[str, SampleAbout]:
    """The descriptions by folder."""
    try:
        return {
            folder: SampleAbout(**{**found, "heads": tuple(found["heads"]), "lacks": tuple(found["lacks"])})
            for folder, found in zip(reader.folders, reader.abouts(), strict=True)
        }
    except (TypeError, KeyError) as error:
        raise DataError(f"{uri}/{ABOUT}: expected the fields of a sample set ({first_line(error)})") from error


def _to_arrow(values: NDArray[Any]) -> pa.Array:
    """A column; an item of more than a number is a list of fixed size, [n, …] → [n, numbers an item]."""
    flat = pa.array(values.reshape(-1))
    return flat if values.ndim == 1 else pa.FixedSizeListArray.from_arrays(flat, int(np.prod(values.shape[1:])))
