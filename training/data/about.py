"""What a log directory says of itself in `about.json`: origin, gaps, heads with labels, attributes."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType

import pyarrow as pa

from feature_service.features.events import AttributeValue, Event, EventKind
from training.data.errors import DataError
from training.data.locations import first_line, locate
from training.data.sources import Written
from training.heads import HEAD_NAMES, HEADS

FILE = "about.json"

ENTITIES: Mapping[EventKind, str] = MappingProxyType(
    {
        EventKind.USER_UPDATED: "user",
        EventKind.STREAMER_UPDATED: "streamer",
        EventKind.ROOM_STARTED: "room",
        EventKind.ROOM_UPDATED: "room",
    }
)
"""Whose attributes an event of a kind carries; the other kinds carry none."""

Attributes = dict[str, dict[str, dict[str, str | int]]]
"""Entity → attribute → `{"kind": "category"}`, `{"kind": "number"}` or `{"kind": "vector", "width": 4}`."""


@dataclass(frozen=True, slots=True)
class About:
    """A log's own description.

    Attributes:
        importer: What made it.
        source: From what.
        lacks: What the data does not have, a sentence each.
        heads: Heads of `training.heads` that have labels in it.
        attributes: Attributes that its events carry, as they would be declared in the settings.
        content_width: Width of the rooms' content vectors; 0 = none.
        events: How many.
        first_ms: Time of the first, Unix milliseconds.
        last_ms: Time of the last.
    """

    importer: str
    source: str
    lacks: tuple[str, ...]
    heads: tuple[str, ...]
    attributes: Attributes
    content_width: int
    events: int
    first_ms: int
    last_ms: int


class Observer:
    """Passes events on and notes what they carry."""

    def __init__(self, events: Iterable[Event]) -> None:
        self._events = events
        self._kinds: set[EventKind] = set()
        self._attributes: Attributes = {"user": {}, "streamer": {}, "room": {}}
        self._content_width = 0

    def __iter__(self) -> Iterator[Event]:
        """Yields the events as they are.

        Raises:
            DataError: An attribute changes its kind or width, or content vectors their width.
        """
        kinds = self._kinds
        for event in self._events:
            kinds.add(event.kind)
            if event.attributes:
                self._note(event)
            if event.content:
                self._note_content(event)
            yield event

    def about(
        self,
        importer: str,
        source: str,
        lacks: tuple[str, ...],
        written: Written,
        heads: tuple[str, ...] = HEAD_NAMES,
    ) -> About:
        """The description of the log that the events became.

        Args:
            importer: What made it.
            source: From what.
            lacks: What the data does not have.
            written: What `write_log` said.
            heads: Those that may have labels; without an event that decides it, a head has none.
        """
        return About(
            importer=importer,
            source=source,
            lacks=lacks,
            heads=tuple(name for name in heads if HEADS[name].kind in self._kinds),
            attributes=self._attributes,
            content_width=self._content_width,
            events=written.events,
            first_ms=written.first_ms,
            last_ms=written.last_ms,
        )

    def _note_content(self, event: Event) -> None:
        width = len(event.content)
        if self._content_width not in (0, width):
            raise DataError(
                f"event {event.event_id}: content: expected {self._content_width} numbers as before, received {width}"
            )
        self._content_width = width

    def _note(self, event: Event) -> None:
        known = self._attributes[ENTITIES[event.kind]]
        for name, value in event.attributes.items():
            found = _declaration(value)
            if known.setdefault(name, found) != found:
                raise DataError(f"event {event.event_id}: attribute {name}: expected {known[name]}, received {found}")


def write_about(uri: str | Path, about: About) -> None:
    """Writes `about.json` into a log directory."""
    filesystem, folder = locate(uri)
    with filesystem.open_output_stream(f"{folder}/{FILE}") as file:
        file.write((json.dumps(asdict(about), indent=2) + "\n").encode())


def read_about(uri: str | Path) -> About | None:
    """Reads the description of a log; None for a log without one.

    Raises:
        DataError: The file is not what `write_about` writes.
    """
    filesystem, folder = locate(uri)
    path = f"{folder}/{FILE}"
    try:
        with filesystem.open_input_file(path) as file:
            found = json.loads(file.read())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DataError(f"{path}: not readable as JSON ({first_line(error)})") from error
    try:
        return About(**{**found, "lacks": tuple(found["lacks"]), "heads": tuple(found["heads"])})
    except (TypeError, KeyError) as error:
        raise DataError(f"{path}: expected the fields of a log's description ({first_line(error)})") from error


def _declaration(value: AttributeValue) -> dict[str, str | int]:
    if isinstance(value, str):
        return {"kind": "category"}
    return {"kind": "vector", "width": len(value)} if isinstance(value, tuple) else {"kind": "number"}
