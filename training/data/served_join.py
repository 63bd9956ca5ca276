"""The sample join: served features ⨝ what viewers did, within each head's window, into a sample set."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from feature_service.features.catalog import Catalog
from feature_service.features.events import MAX_LATENESS_MS
from feature_service.features.layout import Layout
from training.data.errors import DataError
from training.data.join import JOIN_COLUMNS, enters_of, join
from training.data.platform import settings_toml
from training.data.room_versions import VersionBuilder, VersionCollector
from training.data.sample_set import heads_of
from training.data.samples_io import SampleAbout, SampleWriter
from training.data.served_chunks import JoinCounts, chunks, claimed
from training.data.served_impressions import Impressions
from training.data.service_log import (
    EVENTS_PER_REPORT,
    FollowedState,
    LogPlace,
    columns_of,
    first_position,
    in_order,
    layout_of,
    newest_served,
    read_events,
    read_served,
)
from training.data.sources import order_ms

EVENTS_PER_SHARD = 200_000
"""After so many events the versions of rooms that ended go into a shard."""

OnProgress = Callable[[str, int], None]
"""Takes what is being read, and how much of it was."""


def join_served(
    log: LogPlace,
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
    chosen = heads_of(heads, None, table, str(log))
    writer = SampleWriter(target, replace(layout, heads=chosen), delays=delays)
    writer.enters(enters_of(table))
    labels, impressions = join(table, chosen), Impressions(table)
    counts, slates = JoinCounts(impressions=len(impressions)), 0
    ordered = in_order(read_served(served), lambda slate: slate.served_ms)
    for chunk in chunks(claimed(ordered, newest.layout, impressions, counts), layout):
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
        lacks=lacks_of(log, history),
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


def lacks_of(log: LogPlace, history: str | Path | None) -> tuple[str, ...]:
    """What a service's log does not have: the events before it, unless their history is given."""
    if history is not None or not (first := first_position(log)):
        return ()
    return (f"the {first} events before the service's log: room versions count streamers' events from there only",)


def _write_rooms(
    log: LogPlace,
    history: str | Path | None,
    catalog: Catalog,
    layout: Layout,
    writer: SampleWriter,
    on_progress: OnProgress,
) -> int:
    """Replays the log for the versions of the rooms on air, which are no served features; returns their number."""
    followed = FollowedState(catalog, viewers=False)
    if history is not None:
        followed.seed(history, first_position(log))
    versions, written = VersionCollector(catalog, followed.state, followed.live), 0
    builder = VersionBuilder(catalog, layout, followed.state)

    def write() -> None:
        nonlocal written
        rooms = builder.build(versions.take())
        written += len(rooms.room)
        writer.rooms(rooms)

    for number, (_, event) in enumerate(read_events(log)):
        now_ms = order_ms(event)
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
