"""Importers: public data sets, and a platform's own tables, as event logs."""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from feature_service.features.events import Event
from training.data.about import About, Observer, write_about
from training.data.errors import DataError
from training.data.importers import columns, kuailive, kuairand, movielens, twitch
from training.data.sources import ROWS_PER_FILE, write_log


class Importer(Protocol):
    """What a module here offers."""

    @property
    def NAME(self) -> str:  # noqa: N802
        """Its name in `IMPORTERS`."""
        ...

    @property
    def LACKS(self) -> tuple[str, ...]:  # noqa: N802
        """What the data does not have, a phrase each."""
        ...

    @property
    def HEADS(self) -> tuple[str, ...]:  # noqa: N802
        """Heads of `training.heads` that the data can have labels for."""
        ...

    @property
    def events(self) -> Callable[..., Iterator[Event]]:
        """Reads the data, given its path and options, as events in order of time."""
        ...


IMPORTERS: Mapping[str, Importer] = MappingProxyType(
    {
        "columns": columns,
        "kuailive": kuailive,
        "kuairand": kuairand,
        "movielens": movielens,
        "twitch": twitch,
    }
)
"""All importers by name."""

_EVENTS_PER_REPORT = 5_000


def import_log(
    name: str,
    source: Path,
    uri: str | Path,
    *,
    rows_per_file: int = ROWS_PER_FILE,
    on_count: Callable[[int], None] | None = None,
    **options: Any,
) -> About:
    """Imports a data set: writes its events and `about.json`.

    Args:
        name: Of the importer.
        source: Its file or folder.
        uri: A folder without a log.
        rows_per_file: As for `write_log`.
        on_count: Is called from time to time with the number of events so far.
        **options: Of the importer.

    Raises:
        DataError: The importer or an option is unknown, the source is not as expected, or the folder holds a log.
    """
    if name not in IMPORTERS:
        raise DataError(f"importer: expected one of {', '.join(IMPORTERS)}, received {name}")
    importer = IMPORTERS[name]
    allowed = [option for option in inspect.signature(importer.events).parameters if option != "source"]
    for option in options:
        if option not in allowed:
            raise DataError(f"{option}: the importer {name} has {', '.join(allowed) or 'no options'}")
    if not source.exists():
        raise DataError(f"{source}: expected a file or folder to import, found none")
    events = importer.events(source, **options)
    observer = Observer(_counted(events, on_count) if on_count else events)
    written = write_log(uri, observer, rows_per_file=rows_per_file)
    about = observer.about(name, source.name, importer.LACKS, written, heads=importer.HEADS)
    write_about(uri, about)
    return about


def _counted(events: Iterable[Event], on_count: Callable[[int], None]) -> Iterator[Event]:
    for count, event in enumerate(events):
        if count % _EVENTS_PER_REPORT == 0:
            on_count(count)
        yield event
