"""Erasure in an event log at rest: what users who were erased did stays, as nobody's, so that all positions stay."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import fs

from feature_service.features.events import Event
from feature_service.retention import anonymous_event
from training.data.erased import Erased
from training.data.event_schema import to_events
from training.data.id_columns import keys_in
from training.data.locations import reachable, shards, take_place
from training.data.sources import batches, opened, write_shard


def erase_from_log(uri: str | Path, erased: Erased) -> int:
    """Writes the shards anew in which one of the users did something; returns how many.

    Raises:
        DataError: There is no log, or it cannot be read or written.
    """
    filesystem, files = shards(uri)
    first, changed = 0, 0
    for path in files:
        rows = _rows(filesystem, path, erased)
        if rows.any():
            folder, _, name = path.rpartition("/")
            finished = f"{folder}/.{name}"
            with reachable(uri):
                write_shard(filesystem, finished, _events(filesystem, path, rows, first))
                take_place(filesystem, finished, path)
            changed += 1
        first += len(rows)
    return changed


def _rows(filesystem: fs.FileSystem, path: str, erased: Erased) -> NDArray[np.bool_]:
    """Which events of a shard are of the users, bool [rows]."""
    with opened(filesystem, path) as shard:
        names = [name for name in ("user_id", "time_ms", "received_ms") if name in shard.schema_arrow.names]
        table = shard.read(columns=names)
    if "user_id" not in names or not len(erased):
        return np.zeros(table.num_rows, np.bool_)
    time_ms = table["time_ms"].to_numpy()
    received_ms = table["received_ms"].fill_null(0).to_numpy() if "received_ms" in names else np.zeros_like(time_ms)
    users = keys_in("user", table["user_id"].cast(pa.string()).fill_null(""))
    return erased.rows(users, np.where(received_ms, received_ms, time_ms))


def _events(filesystem: fs.FileSystem, path: str, rows: NDArray[np.bool_], first: int) -> Iterator[Event]:
    """The events of a shard, nobody's in some rows; the first one has that position in the log."""
    place = 0
    with opened(filesystem, path) as shard:
        for batch in batches(shard):
            for event in to_events(batch):
                yield anonymous_event(event, first + place) if rows[place] else event
                place += 1
