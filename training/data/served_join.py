"""The sample join: served features ⨝ what viewers did, within each head's window, into a sample set."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from feature_service.features.catalog import Catalog
from feature_service.features.events import MAX_LATENESS_MS
from feature_service.features.layout import CANDIDATE_TENSORS, Layout
from feature_service.features.schema import key_of
from feature_service.served.slate import ServedSlate
from training.data.chunks import Chunk
from training.data.errors import DataError
from training.data.join import JOIN_COLUMNS, Ints, enters_of, join
from training.data.platform import settings_toml
from training.data.room_versions import VersionCollector
from training.data.sample_set import heads_of
from training.data.samples import Candidates, Slates
from training.data.samples_io import SampleAbout, SampleWriter
from training.data.served_impressions import Claim, Impressions
from training.data.service_log import (
    EVENTS_PER_REPORT,
    FollowedState,
    columns_of,
    first_position,
    in_order,
    layout_of,
    newest_served,
    read_events,
    read_served,
)
from training.heads import HEAD_NAMES

CHUNK_CANDIDATES = 40_000
"""Impressions of a shard: some 30 MB in memory."""

EVENTS_PER_SHARD = 200_000
"""After so many events the versions of rooms that ended go into a shard."""

OnProgress = Callable[[str, int], None]
"""Takes what is being read, and how much of it was."""


@dataclass(slots=True)
class JoinCounts:
    """What became of the served slates, and of the impressions.

    Attributes:
        served: Slates of the served log.
        unseen: Slates of which nothing was seen so far.
        repeated: Slates that were there before: their impressions belong to the first.
        without_tensors: Slates in recall's order, as no ranker answered.
        other_layout: Slates with other columns than the newest has.
        impressions: Impressions of the log that carry a request, each event once.
    """

    served: int = 0
    unseen: int = 0
    repeated: int = 0
    without_tensors: int = 0
    other_layout: int = 0
    impressions: int = 0


def join_served(
    log: Path,
    served: Path,
    target: str | Path,
    catalog: Catalog,
    *,
    heads: Sequence[str] | None = None,
    history: str | Path | None = None,
    delays: bool = False,
    on_progress: OnProgress = lambda *_: None,
) -> tuple[SampleAbout, JoinCounts]:
    """Turns a service's logs into a sample set like that of `replay`, with the features as they were served.

    What was seen counts: served but unseen is no sample, and neither is an impression whose slate was not logged. A set
    has one layout, that of the newest slate; slates with other columns are left out and counted. The columns decide
    (`name@version:dtype:width`), not the catalogue's fingerprint: a new feature changes that and no logged value.

    Args:
        log: The service's event log.
        served: Its served log.
        target: URI of a directory without samples.
        catalog: The service's catalogue.
        heads: Heads wanted; None = all that the log has labels for.
        history: URI of the log from which the service was seeded, if it was.
        delays: Whether to keep how late each label came.
        on_progress: Is told what is being read.

    Raises:
        DataError: A log or the target is not as it must be, the catalogue lacks a column, or nothing is left to join.
    """
    newest = newest_served(served)
    layout = layout_of(served, newest)
    if problems := catalog.check(layout):
        known = "are the settings those of the service?"
        raise DataError(f"{served}: expected slates with columns of this catalogue ({known}): {'; '.join(problems)}")
    table = columns_of(log, (*JOIN_COLUMNS, "received_ms"), lambda done: on_progress("events", done))
    chosen = heads_of(heads, None, table, log)
    writer = SampleWriter(target, replace(layout, heads=chosen), delays=delays)
    writer.enters(enters_of(table))
    labels, impressions = join(table, chosen), Impressions(table)
    counts, slates = JoinCounts(impressions=len(impressions)), 0
    ordered = in_order(read_served(served), lambda slate: slate.served_ms)
    for chunk in _chunks(_claimed(ordered, newest.layout, impressions, counts), layout):
        writer.chunk(chunk, labels.of(chunk.event))
        slates += len(chunk.slates.user)
        on_progress("slates", counts.served)
    if not slates:
        raise DataError(f"{served}: expected slates of which something was seen, found none: {counts}")
    times_ms, received_ms = table["time_ms"].to_numpy(), table["received_ms"].to_numpy()
    about = SampleAbout(
        log=str(log),
        importer="",
        heads=chosen,
        lacks=_lacks(log, history),
        fingerprint=catalog.fingerprint,
        first_ms=int(times_ms.min()),
        last_ms=int(times_ms.max()),
        events=table.num_rows,
        slates=slates,
        candidates=impressions.claimed,
        sampled=0,
        duplicates=0,
        late=int((received_ms - times_ms > MAX_LATENESS_MS).sum()),
        room_versions=_write_rooms(log, history, catalog, layout, writer, on_progress),
    )
    writer.finish(about, settings_toml(catalog))
    return about, counts


@dataclass(frozen=True, slots=True)
class _Claimed:
    """A slate with what was seen of it: places in it, intp [n], and the impressions' positions, int64 [n]."""

    slate: ServedSlate
    places: np.ndarray
    event: Ints


def _claimed(
    slates: Iterator[ServedSlate], layout: str, impressions: Impressions, counts: JoinCounts
) -> Iterator[_Claimed]:
    """The slates that make samples; the others are counted."""
    for slate in slates:
        counts.served += 1
        if not slate.tensors:
            counts.without_tensors += 1
        elif slate.layout != layout:
            counts.other_layout += 1
        elif (claim := impressions.claim(slate)) is Claim.UNSEEN:
            counts.unseen += 1
        elif claim is Claim.REPEATED:
            counts.repeated += 1
        else:
            yield _Claimed(slate, *claim)


@dataclass(slots=True)
class _Part:
    """Slates on their way into a chunk."""

    slates: list[_Claimed] = field(default_factory=list[_Claimed])
    candidates: int = 0


def _chunks(claimed: Iterator[_Claimed], layout: Layout) -> Iterator[Chunk]:
    first, part = 0, _Part()
    for each in claimed:
        part.slates.append(each)
        part.candidates += len(each.places)
        if part.candidates >= CHUNK_CANDIDATES:
            yield _chunk(part.slates, layout, first)
            first, part = first + len(part.slates), _Part()
    if part.slates:
        yield _chunk(part.slates, layout, first)


def _chunk(claimed: list[_Claimed], layout: Layout, first: int) -> Chunk:
    """Samples of slates, `first` being the number of the first one; labels are 0 and masked."""
    names = [tensor.name for tensor in layout.tensors]
    tensors = {
        name: np.concatenate(
            [
                each.slate.tensors[name][each.places] if name in CANDIDATE_TENSORS else each.slate.tensors[name]
                for each in claimed
            ]
        )
        for name in names
    }
    rooms = [each.slate.rooms[place] for each in claimed for place in each.places.tolist()]
    none = np.zeros((len(rooms), len(HEAD_NAMES)))
    return Chunk(
        Slates(
            {name: values for name, values in tensors.items() if name not in CANDIDATE_TENSORS},
            np.array([each.slate.served_ms for each in claimed], np.int64),
            np.array([key_of("user", each.slate.user_id) for each in claimed], np.int64),
        ),
        Candidates(
            tensors={name: values for name, values in tensors.items() if name in CANDIDATE_TENSORS},
            slate=np.repeat(
                np.arange(first, first + len(claimed), dtype=np.int32), [len(each.places) for each in claimed]
            ),
            room=np.array([key_of("room", room.room_id) for room in rooms], np.int64),
            streamer=np.array([key_of("streamer", room.streamer_id) for room in rooms], np.int64),
            position=np.array([room.position for room in rooms], np.int16),
            propensity=np.array([room.propensity for room in rooms], np.float32),
            sampled=np.zeros(len(rooms), np.bool_),
            censored=np.zeros(len(rooms), np.bool_),
            labels=none.astype(np.float32),
            mask=none.astype(np.bool_),
        ),
        np.concatenate([each.event for each in claimed]),
    )


def _lacks(log: Path, history: str | Path | None) -> tuple[str, ...]:
    if history is not None or not (first := first_position(log)):
        return ()
    return (f"the {first} events before the service's log: room versions count streamers' events from there only",)


def _write_rooms(
    log: Path,
    history: str | Path | None,
    catalog: Catalog,
    layout: Layout,
    writer: SampleWriter,
    on_progress: OnProgress,
) -> int:
    """Replays the log for the versions of the rooms on air, which are no served features; returns their number."""
    followed = FollowedState(catalog)
    if history is not None:
        followed.seed(history, first_position(log))
    versions, written = VersionCollector(catalog, layout, followed.state, followed.live), 0

    def write() -> None:
        nonlocal written
        rooms = versions.take()
        written += len(rooms.room)
        writer.rooms(rooms)

    for number, (_, event) in enumerate(read_events(log)):
        now_ms = event.time_ms
        row = followed.apply(event, lambda key, now_ms=now_ms: versions.close(key, now_ms))
        if row is not None:
            versions.learn(event, row)
        if number % EVENTS_PER_REPORT == 0:
            on_progress("rooms", number)
        if number % EVENTS_PER_SHARD == EVENTS_PER_SHARD - 1:
            write()
    versions.close_all()
    write()
    return written
