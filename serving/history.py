"""The history of a model: what its gate decided, and what was published or rolled back, kept beside its versions.

Each entry is a file of its own in `.history`, a name that model servers ignore: so it can lie in an object store as
well, and two writers never meet.
"""

import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from serving.versions import PublishError

HISTORY = ".history"

MOST_ENTRIES = 50
"""Entries that are read; older ones stay on disk."""


class EntryKind(StrEnum):
    """What happened."""

    ACCEPTED = "accepted"  # By the gate.
    REFUSED = "refused"  # Likewise.
    PUBLISHED = "published"
    ROLLED_BACK = "rolled_back"


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that happened to a model.

    Attributes:
        time_ms: When, Unix milliseconds.
        kind: What.
        version: The version that came of it; 0 = none.
        lines: Reasons and notes, a sentence a line.
    """

    time_ms: int
    kind: EntryKind
    version: int
    lines: tuple[str, ...] = ()

    def file_name(self) -> str:
        """A name that nobody else takes; names sort by time."""
        return f"{self.time_ms:015d}-{secrets.token_hex(4)}.json"

    def write(self, path: Path) -> None:
        """Writes the entry to a file; its folder is made if missing."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self)) + "\n", encoding="utf-8")


def happened(kind: EntryKind, version: int = 0, lines: Sequence[str] = ()) -> Entry:
    """An entry of this moment."""
    return Entry(time.time_ns() // 1_000_000, kind, version, tuple(lines))


def note(base_path: Path, entry: Entry) -> None:
    """Adds an entry to the history of a base path; it appears by one rename.

    Raises:
        PublishError: It cannot be written.
    """
    folder, name = base_path / HISTORY, entry.file_name()
    unfinished = folder / f".{name}"
    try:
        entry.write(unfinished)
        unfinished.rename(folder / name)
    except OSError as error:
        raise PublishError(f"{folder}: cannot be written ({error.strerror})") from error


def read_history(base_path: Path, most: int = MOST_ENTRIES) -> list[Entry]:
    """The newest entries, newest first; a file that is no entry is left out.

    Raises:
        OSError: The folder cannot be read.
    """
    folder = base_path / HISTORY
    if not folder.is_dir():
        return []
    names = sorted((path.name for path in folder.iterdir() if path.suffix == ".json"), reverse=True)
    entries = (_read(folder / name) for name in names[:most] if not name.startswith("."))
    return [entry for entry in entries if entry is not None]


def _read(path: Path) -> Entry | None:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        kind, lines = EntryKind(values["kind"]), tuple(map(str, values["lines"]))
        return Entry(int(values["time_ms"]), kind, int(values["version"]), lines)
    except (ValueError, KeyError, TypeError):
        return None
