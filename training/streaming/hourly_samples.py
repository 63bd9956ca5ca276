"""Samples by the hour at rest: which revisions there are, what each covers, and the state of their writer."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyarrow import fs

from training.data.errors import DataError
from training.data.hours import newest_revision, remove_hours, remove_revisions
from training.data.locations import first_line, locate, reachable
from training.data.sample_reader import ABOUT

COVERS = "covers.json"
"""What a revision covers, in its folder."""

_STATES = "_worker"
_KEPT = 2


@dataclass(frozen=True, slots=True)
class Covers:
    """What a revision covers.

    Attributes:
        number: The revision's; 0 = there is none, and all else is 0.
        events: The position in the event log behind the last event that it takes into account.
        slates: The same of the served log.
        known_ms: Until when it was known what happened, Unix milliseconds.
    """

    number: int = 0
    events: int = 0
    slates: int = 0
    known_ms: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the writer is, as of the end of an hour that it will not write again.

    Attributes:
        position: The position of the event that comes next.
        rows_from: Where in the event log the events begin that later hours need too.
        slates_from: The same in the served log.
        hour: The oldest hour that may still change.
        first_hour: The first one with slates that have features.
        layout: The columns of the hours before `hour`.
        last_ms: Time of the newest event, Unix milliseconds.
        now_ms: When the newest event was received.
        kinds: The kinds of events that there were.
    """

    position: int
    rows_from: int
    slates_from: int
    hour: int
    first_hour: int
    layout: str
    last_ms: int
    now_ms: int
    kinds: tuple[int, ...]


class HourlySamples:
    """A set in parts, for the one process that writes it.

    Attributes:
        uri: The set.
    """

    def __init__(self, uri: str | Path) -> None:
        """Takes the set; the folder may not be there yet."""
        self.uri = uri
        self._filesystem, self._folder = locate(uri)
        self._covers: dict[int, Covers] = {}

    def covers(self, hour: int) -> Covers:
        """What the newest finished revision of an hour covers.

        Raises:
            DataError: Its file is not what `begin` writes.
        """
        if hour not in self._covers:
            newest = newest_revision(self._filesystem, self._folder, hour, ABOUT)
            self._covers[hour] = Covers(**self._json(f"{newest.path}/{COVERS}")) if newest else Covers()
        return self._covers[hour]

    def begin(self, part: str, covers: Covers) -> None:
        """Says what a revision will cover, in its folder."""
        self._filesystem.create_dir(f"{self._folder}/{part}", recursive=True)
        self._write(f"{self._folder}/{part}/{COVERS}", json.dumps(asdict(covers)).encode())

    def finished(self, hour: int, covers: Covers) -> None:
        """Takes a new revision for the newest; the one before stays for those who read it."""
        self._covers[hour] = covers
        self._remove(hour, covers.number - _KEPT)

    def close(self, hour: int) -> None:
        """Nobody reads the earlier revisions of an hour any more."""
        self._remove(hour, self.covers(hour).number - 1)
        del self._covers[hour]

    def forget(self, before: int) -> None:
        """Removes the hours before one. Who reads such an hour meanwhile cannot go on.

        Raises:
            DataError: They cannot be removed.
        """
        with reachable(self.uri):
            remove_hours(self._filesystem, self._folder, before, ABOUT)
        self._covers = {hour: covers for hour, covers in self._covers.items() if hour >= before}

    def save(self, progress: Progress, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Writes the state as a whole, and then removes the one before."""
        folder, name = f"{self._folder}/{_STATES}", f"state-{progress.hour}.npz"
        data = BytesIO()
        np.savez_compressed(data, allow_pickle=False, progress=np.array(json.dumps(asdict(progress))), **arrays)
        self._filesystem.create_dir(folder, recursive=True)
        self._write(f"{folder}/_{name}", data.getvalue())
        self._filesystem.move(f"{folder}/_{name}", f"{folder}/{name}")
        for other in self._states():
            if other != name:
                self._filesystem.delete_file(f"{folder}/{other}")

    def load(self) -> tuple[Progress, dict[str, NDArray[Any]]] | None:
        """The newest state; None when there is none.

        Raises:
            DataError: It is not what `save` writes.
        """
        names = self._states()
        if not names:
            return None
        path = f"{self._folder}/{_STATES}/{names[-1]}"
        try:
            with self._filesystem.open_input_file(path) as file, np.load(BytesIO(file.read())) as held:
                arrays = dict(held)
            found = json.loads(str(arrays.pop("progress")))
            return Progress(**{**found, "kinds": tuple(found["kinds"])}), arrays
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise DataError(f"{path}: expected the state of a worker ({first_line(error)})") from error

    def _states(self) -> list[str]:
        """Names of the finished states, oldest first."""
        selector = fs.FileSelector(f"{self._folder}/{_STATES}", allow_not_found=True)
        names = [item.base_name for item in self._filesystem.get_file_info(selector)]
        return sorted((name for name in names if name.startswith("state-")), key=lambda name: int(name[6:-4]))

    def _remove(self, hour: int, until: int) -> None:
        remove_revisions(self._filesystem, self._folder, hour, lambda number: number > until)

    def _json(self, path: str) -> dict[str, Any]:
        try:
            with self._filesystem.open_input_file(path) as file:
                return json.loads(file.read())
        except (OSError, ValueError) as error:
            raise DataError(f"{path}: expected what a revision covers ({first_line(error)})") from error

    def _write(self, path: str, data: bytes) -> None:
        with self._filesystem.open_output_stream(path) as file:
            file.write(data)
