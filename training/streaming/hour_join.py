"""The join of one hour: the slates that were served in it, with what viewers did then, as a revision of its samples.

It is the join of the whole log (`training.data.served_join`), over the events that can matter to the hour.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import chain

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from feature_service.features.catalog import Catalog
from feature_service.features.events import MAX_LATENESS_MS
from feature_service.features.layout import Layout
from feature_service.served.slate import ServedSlate
from training.data.chunks import Chunk
from training.data.hours import HOUR_MS, revision_name
from training.data.join import EnterColumns, Extent, Labels, enters_of, join
from training.data.platform import settings_toml
from training.data.samples import RoomVersions
from training.data.samples_io import SampleAbout, SampleWriter
from training.data.served_chunks import JoinCounts, chunks, claimed
from training.data.served_impressions import SEEN_BEFORE_MS, Impressions
from training.heads import HEAD_NAMES, HEADS
from training.streaming.hourly_samples import Covers, HourlySamples


@dataclass(frozen=True, slots=True)
class Hour:
    """What the samples of an hour are made of.

    Attributes:
        number: Hours since the Unix epoch.
        rows: The events from `rows_from_ms` on, see `Rows.since`.
        extent: How far the log reaches by now.
        slates: The hour's, and earlier ones that may have claimed its impressions, by their clocks.
        layout_name: Names the columns in the slates.
        layout: The columns.
    """

    number: int
    rows: pa.Table
    extent: Extent
    slates: Iterator[ServedSlate]
    layout_name: str
    layout: Layout

    @property
    def start_ms(self) -> int:
        """When it begins, Unix milliseconds."""
        return self.number * HOUR_MS

    @property
    def end_ms(self) -> int:
        """When the next one begins."""
        return self.start_ms + HOUR_MS

    @property
    def happened(self) -> NDArray[np.bool_]:
        """Which of the rows happened in it, bool [rows]."""
        times_ms = self.rows["time_ms"].to_numpy()
        return (times_ms >= self.start_ms) & (times_ms < self.end_ms)


@dataclass(frozen=True, slots=True)
class Source:
    """Where the events of all hours are from.

    Attributes:
        log: Names the event log.
        lacks: What it does not have, a sentence each.
        catalog: The service's catalogue.
    """

    log: str
    lacks: tuple[str, ...]
    catalog: Catalog


@dataclass(slots=True)
class Written:
    """What a revision holds.

    Attributes:
        slates: Slates.
        impressions: Impressions.
        positives: Impressions with a label above 0, int64 [heads].
        late: Events of the hour that were received too late for the records.
    """

    slates: int = 0
    impressions: int = 0
    positives: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(HEAD_NAMES), np.int64))
    late: int = 0


def rows_from_ms(hour: int) -> int:
    """What happened earlier does not matter to an hour."""
    return hour * HOUR_MS - SEEN_BEFORE_MS


def samples_of(hour: Hour, heads: Sequence[str]) -> Iterator[tuple[Chunk, Labels]]:
    """The slates of an hour of which something was seen, with the labels of `heads`, a shard at a time."""
    slates = claimed(hour.slates, hour.layout_name, Impressions(hour.rows), JoinCounts())
    labels = join(hour.rows, heads, hour.extent)
    for chunk in chunks((each for each in slates if each.slate.served_ms >= hour.start_ms), hour.layout):
        yield chunk, labels.of(chunk.event)


def enters_in(hour: Hour) -> EnterColumns:
    """The visits that began in an hour."""
    enters = enters_of(hour.rows)
    keep = (enters.time_ms >= hour.start_ms) & (enters.time_ms < hour.end_ms)
    return EnterColumns(**{each.name: getattr(enters, each.name)[keep] for each in fields(enters)})


def write_hour(
    hour: Hour, rooms: tuple[RoomVersions, RoomVersions], target: HourlySamples, covers: Covers, source: Source
) -> Written | None:
    """Writes a revision of an hour, unless nothing happened and no room version ended in it.

    Args:
        hour: The hour.
        rooms: The room versions that ended in it, and those that began by then and go on.
        target: The set.
        covers: What the revision covers, with its number.
        source: Where it is from.

    Raises:
        DataError: The target cannot be written.
    """
    heads = tuple(name for name, head in HEADS.items() if head.kind in hour.extent.kinds)
    found = samples_of(hour, heads)
    first = next(found, None)
    if first is None and not hour.happened.any() and not len(rooms[0].room):
        return None
    part = revision_name(hour.number, covers.number)
    target.begin(part, covers)
    writer = SampleWriter(target.uri, replace(hour.layout, heads=heads), delays=True, part=part)
    written = Written()
    for chunk, labels in chain([first] if first else [], found):
        writer.chunk(chunk, labels)
        written.slates += len(chunk.slates.user)
        written.impressions += len(chunk.event)
        written.positives += (labels.labels > 0).sum(axis=0)
    writer.enters(enters_in(hour))
    writer.rooms(rooms[0])
    writer.carried(rooms[1])
    about = _about(hour, heads, written, len(rooms[0].room), source)
    writer.finish(about, settings_toml(source.catalog))
    written.late = about.late
    return written


def _about(hour: Hour, heads: tuple[str, ...], written: Written, versions: int, source: Source) -> SampleAbout:
    rows = hour.rows.filter(pa.array(hour.happened))
    times_ms, received_ms = rows["time_ms"].to_numpy(), rows["received_ms"].to_numpy()
    return SampleAbout(
        log=source.log,
        importer="",
        heads=heads,
        lacks=source.lacks,
        fingerprint=source.catalog.fingerprint,
        first_ms=int(times_ms.min(initial=hour.end_ms)),
        last_ms=int(times_ms.max(initial=hour.start_ms)),
        events=rows.num_rows,
        slates=written.slates,
        candidates=written.impressions,
        sampled=0,
        duplicates=0,
        late=int((received_ms - times_ms > MAX_LATENESS_MS).sum()),
        room_versions=versions,
    )
