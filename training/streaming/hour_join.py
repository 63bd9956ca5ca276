"""The join of one hour: the slates that were served in it, with what viewers did then, as a revision of its samples.

It is the join of the whole log (`training.data.served_join`), over the events that can matter to the hour.
"""

from collections.abc import Iterator
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
from training.data.join import EnterColumns, Extent, enters_of, join
from training.data.platform import settings_toml
from training.data.samples import RoomVersions
from training.data.samples_io import SampleAbout, SampleWriter
from training.data.served_chunks import JoinCounts, chunks, claimed
from training.data.served_impressions import SEEN_BEFORE_MS, SEEN_WITHIN_MS, Impressions
from training.data.split import LONGEST_WINDOW_MS
from training.heads import HEAD_NAMES, HEADS
from training.streaming.hourly_samples import Covers, HourlySamples

REACH_MS = SEEN_WITHIN_MS + LONGEST_WINDOW_MS
"""So long after an hour something may happen that its labels depend on."""


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
        rooms: The room versions that ended in the hour, and those that began by then and go on.
    """

    number: int
    rows: pa.Table
    extent: Extent
    slates: Iterator[ServedSlate]
    layout_name: str
    layout: Layout
    rooms: tuple[RoomVersions, RoomVersions]

    @property
    def start_ms(self) -> int:
        """When it begins, Unix milliseconds."""
        return self.number * HOUR_MS

    @property
    def end_ms(self) -> int:
        """When the next one begins."""
        return self.start_ms + HOUR_MS


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


def write_hour(hour: Hour, target: HourlySamples, covers: Covers, source: Source) -> Written | None:
    """Writes a revision of an hour, unless nothing happened in it.

    Args:
        hour: The hour.
        target: The set.
        covers: What the revision covers, with its number.
        source: Where it is from.

    Raises:
        DataError: The target cannot be written.
    """
    heads = tuple(name for name, head in HEADS.items() if head.kind in hour.extent.kinds)
    found = _chunks(hour)
    first = next(found, None)
    if first is None and not _within(hour).any():
        return None
    part = revision_name(hour.number, covers.number)
    target.begin(part, covers)
    writer = SampleWriter(target.uri, replace(hour.layout, heads=heads), delays=True, part=part)
    labels, written = join(hour.rows, heads, hour.extent), Written()
    for chunk in chain([first] if first else [], found):
        given = labels.of(chunk.event)
        writer.chunk(chunk, given)
        written.slates += len(chunk.slates.user)
        written.impressions += len(chunk.event)
        written.positives += (given.labels > 0).sum(axis=0)
    writer.enters(_enters(hour))
    writer.rooms(hour.rooms[0])
    writer.carried(hour.rooms[1])
    about = _about(hour, heads, written, source)
    writer.finish(about, settings_toml(source.catalog))
    written.late = about.late
    return written


def _chunks(hour: Hour) -> Iterator[Chunk]:
    slates = claimed(hour.slates, hour.layout_name, Impressions(hour.rows), JoinCounts())
    return chunks((each for each in slates if each.slate.served_ms >= hour.start_ms), hour.layout)


def _within(hour: Hour) -> NDArray[np.bool_]:
    """Which of the events happened in the hour."""
    times_ms = hour.rows["time_ms"].to_numpy()
    return (times_ms >= hour.start_ms) & (times_ms < hour.end_ms)


def _enters(hour: Hour) -> EnterColumns:
    """The visits that began in the hour."""
    enters = enters_of(hour.rows)
    keep = (enters.time_ms >= hour.start_ms) & (enters.time_ms < hour.end_ms)
    return EnterColumns(**{each.name: getattr(enters, each.name)[keep] for each in fields(enters)})


def _about(hour: Hour, heads: tuple[str, ...], written: Written, source: Source) -> SampleAbout:
    rows = hour.rows.filter(pa.array(_within(hour)))
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
        room_versions=len(hour.rooms[0].room),
    )
