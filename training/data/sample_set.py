"""The way from a log to a sample set: join, replay, write."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa

from feature_service.features.events import Event, EventKind
from feature_service.features.room import DEFAULT_LEASE_MS
from feature_service.settings import Settings
from training.data.about import About, read_about
from training.data.errors import DataError
from training.data.join import JOIN_COLUMNS, Labels, enters_of, join
from training.data.platform import catalog_of, settings_toml
from training.data.replay import CHUNK_SLATES, Replay
from training.data.requests import Counts
from training.data.samples_io import SampleAbout, SampleWriter
from training.data.sources import read_columns, read_log
from training.heads import HEAD_NAMES, HEADS

ALL_FEATURES = ("*",)

_EVENTS_PER_REPORT = 5_000


def build_samples(
    log: str | Path,
    target: str | Path,
    *,
    features: Sequence[str] = ALL_FEATURES,
    heads: Sequence[str] | None = None,
    settings: Settings | None = None,
    delays: bool = False,
    on_progress: Callable[[Counts], None] | None = None,
) -> SampleAbout:
    """Turns an event log into a sample set.

    The columns of the label join lie in memory as a whole (about 60 bytes an event), all else by the chunk.

    Args:
        log: URI of an event log.
        target: URI of a directory without samples.
        features: Patterns as for `Catalog.layout`.
        heads: Heads wanted; None = all that the log has labels for.
        settings: Of the service, if attributes or leases are declared there.
        delays: Whether to keep how late each label came.
        on_progress: Is called after each chunk with the counts so far.

    Raises:
        DataError: The log or the target is not as it must be, a head has no labels, or there is no impression.
        LayoutError: A pattern matches no feature.
    """
    table = read_columns(log, JOIN_COLUMNS)
    described = read_about(log)
    catalog = catalog_of(described, settings)
    chosen = heads_of(heads, described, table, log)
    layout = catalog.layout(features, chosen)
    writer = SampleWriter(target, layout, delays=delays)
    writer.enters(enters_of(table))
    labels, times_ms = join(table, chosen), table["time_ms"].to_numpy()
    first_ms, last_ms = int(np.min(times_ms)), int(np.max(times_ms))
    del table, times_ms
    lease_ms = int(settings.service.lease_s * 1000) if settings else DEFAULT_LEASE_MS
    replay = Replay(catalog, layout, lease_ms=lease_ms, chunk_slates=CHUNK_SLATES)
    room_versions = _write(replay, read_log(log), labels, writer, on_progress)
    counts = replay.counts
    about = SampleAbout(
        log=str(log),
        importer=described.importer if described else "",
        heads=chosen,
        lacks=tuple(described.lacks) if described else (),
        fingerprint=catalog.fingerprint,
        first_ms=first_ms,
        last_ms=last_ms,
        room_versions=room_versions,
        **asdict(counts),
    )
    writer.finish(about, settings_toml(catalog))
    return about


def _write(
    replay: Replay,
    events: Iterable[Event],
    labels: Labels,
    writer: SampleWriter,
    on_progress: Callable[[Counts], None] | None,
) -> int:
    """Replays the log into shards; returns the number of room versions."""
    room_versions = 0
    for chunk in replay.chunks(_reported(events, replay.counts, on_progress) if on_progress else events):
        writer.chunk(chunk, labels.of(chunk.event))
        rooms = replay.room_versions()
        room_versions += len(rooms.room)
        writer.rooms(rooms)
    return room_versions


def _reported(events: Iterable[Event], counts: Counts, on_progress: Callable[[Counts], None]) -> Iterator[Event]:
    for place, event in enumerate(events):
        if place % _EVENTS_PER_REPORT == 0:
            on_progress(counts)
        yield event


def heads_of(wanted: Sequence[str] | None, about: About | None, table: pa.Table, log: str | Path) -> tuple[str, ...]:
    """The heads of a sample set, in the order of `HEADS`.

    Args:
        wanted: None = all that the log has labels for.
        about: What the log says of itself; without it, the kinds of its events tell which heads have labels.
        table: The log's columns.
        log: Names it in errors.

    Raises:
        DataError: There is no impression, or a wanted head has no labels.
    """
    kinds = set(table["kind"].unique().to_pylist())
    if EventKind.IMPRESSION not in kinds:
        raise DataError(f"{log}: expected impressions, found none among {table.num_rows} events")
    known = about.heads if about else tuple(name for name, head in HEADS.items() if head.kind in kinds)
    for head in wanted or ():
        if head not in known:
            raise DataError(f"heads: expected some of {', '.join(known)} as the log has labels for, received {head!r}")
    return tuple(name for name in HEAD_NAMES if name in (wanted or known))
