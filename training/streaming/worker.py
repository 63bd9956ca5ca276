"""The embedded worker: follows a service's two logs, and keeps the samples of each hour up to date.

An hour is written for the first time ten minutes after its end (`FIRST_MS`): labels whose windows are over stand, the
others are masked, with the delays that `train --late-labels` needs. It is written anew every hour while labels are
undecided or events that matter to it have come, and for the last time when the log says that `correct_hours` have gone
by since. So what is shown is a sample at most 1 h 10 min later, all its labels are decided at most three hours after
that, and an event counts that is received up to ten minutes and `correct_hours` after the hour of its slate. What comes
later is joined in batch only.

A user who is erased leaves the hours that may still change with their next revision, and those that are over when the
next one is. The log tells of the erasure for two hours at least, the service's own notes for good: a worker that was
off for longer needs them.

Time is what the log says: an hour's last revision is a function of the logs alone, whenever, how often and in how many
pieces they were read. It holds, row for row, what the join of the whole log has of that hour.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from feature_service.features.catalog import Catalog
from feature_service.features.events import Event, EventKind
from feature_service.features.layout import Layout
from feature_service.features.schema import key_of
from feature_service.served.layouts import read_layout
from training.data.erased import NOBODY, Erased
from training.data.errors import DataError
from training.data.hours import HOUR_MS, hour_name
from training.data.join import Extent
from training.data.served_join import lacks_of
from training.data.service_log import LogPlace, first_position, follow
from training.data.sources import order_ms
from training.streaming.erasing import erase_users
from training.streaming.followed_slates import FollowedSlates
from training.streaming.hour_join import Hour, Source, Written, rows_from_ms, write_hour
from training.streaming.hourly_samples import Covers, HourlySamples, Progress
from training.streaming.room_history import RoomHistory
from training.streaming.rows import Rows
from training.streaming.schedule import CORRECT_HOURS, REACH_MS, Schedule, moment_of

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Revised:
    """A revision of an hour.

    Attributes:
        hour: Hours since the Unix epoch.
        number: Of the revision.
        written: What it holds.
        corrections: Events that matter to the hour and have come since the revision before.
        final: Whether it is the last one.
    """

    hour: int
    number: int
    written: Written
    corrections: int
    final: bool


class Worker:
    """Writes the samples of one service.

    Memory holds the events of `correct_hours` and two hours more, and the records of rooms and streamers.

    Attributes:
        position: The position of the event that comes next.
        now_ms: When the newest event was received, Unix milliseconds.
        missed: Events that came too late for any hour that may still change.
    """

    def __init__(
        self,
        log: LogPlace,
        served: Path,
        samples: str | Path,
        catalog: Catalog,
        *,
        history: str | Path | None = None,
        correct_hours: int = CORRECT_HOURS,
        keep_hours: int | None = None,
        erasures: Callable[[], Erased] = lambda: NOBODY,
    ) -> None:
        """Goes on where the last worker on these samples stopped.

        Args:
            log: The service's event log.
            served: Its served log; may still be empty.
            samples: URI of the samples' folder, of which this is the only writer.
            catalog: The service's catalogue.
            history: URI of the log from which the service was seeded, if it was.
            correct_hours: At least `CORRECT_HOURS`.
            keep_hours: Of the hours that are over so many are kept, None = all.
            erasures: Says whom the service has noted as erased.

        Raises:
            DataError: There is no event log, fewer hours are given, or a file of the samples is damaged.
        """
        first = first_position(log)
        self._served = served
        self._schedule, self._keep_hours = Schedule(correct_hours), keep_hours
        self._source = Source(str(log), lacks_of(log, history), catalog)
        self._samples = HourlySamples(samples)
        self._rows, self._rooms = Rows(), RoomHistory(catalog)
        self._hour: int | None = None
        self._looked: dict[int, int] = {}
        self._erasures = erasures
        self._erased: dict[int, int] = {}
        self._left: dict[int, int] = {}
        self.position, self.now_ms, self.missed = first, 0, 0
        if held := self._samples.load():
            progress, arrays = held
            self._rooms.restore(arrays)
            self._slates = self._resume(progress)
            if first > self.position:
                _log.warning("%s: the events from position %d to %d went unread", log, self.position, first - 1)
            first = max(first, progress.rows_from)
        else:
            self._slates = FollowedSlates(served)
            if history is not None:
                self._rooms.seed(history, first)
        self._events = follow(log, first)

    def catch_up(self) -> Iterator[Revised]:
        """Reads what has been written since the last call; yields hours that are written for the last time.

        Raises:
            LogError: A log is damaged.
            DataError: A revision cannot be written.
        """
        self._slates.catch_up()
        for position, event in self._events.poll():
            if position >= self.position:
                yield from self._advance(order_ms(event))
            self._take(position, event)

    def write(self, clock_ms: int | None = None) -> Iterator[Revised]:
        """Writes the hours that are due and have something new; after `catch_up`.

        Args:
            clock_ms: What time it is, Unix milliseconds; None = all hours are due, as far as the log reaches.

        Raises:
            DataError: A revision cannot be written.
        """
        if self._hour is None:
            return
        known_ms = self._rows.last_ms if clock_ms is None else max(clock_ms, self._rows.last_ms)
        for hour in range(self._hour, self._rows.last_ms // HOUR_MS + 1):
            look = 0 if clock_ms is None else (clock_ms - moment_of(hour, 1)) // HOUR_MS
            if clock_ms is None or look > self._looked.get(hour, -1):
                yield from self._revise(hour, known_ms)
                self._looked[hour] = look

    def _advance(self, received_ms: int) -> Iterator[Revised]:
        """Time goes on to when an event was received: hours end that it can no longer change."""
        if self._hour is None:
            self._hour = self._schedule.oldest_open(received_ms)
            self._rows.forget(rows_from_ms(self._hour))
        self.now_ms = max(self.now_ms, received_ms)
        while (final_ms := self._schedule.final_ms(self._hour)) <= self.now_ms:
            yield from self._revise(self._hour, final_ms, final=True)
            self._close(self._hour)

    def _take(self, position: int, event: Event) -> None:
        kept = self._rows.offer(position, event)
        if event.kind is EventKind.USER_ERASED:
            self._rows.erase(event.user_id)
            self._erased[key_of("user", event.user_id)] = order_ms(event)
        if position >= self.position:
            self._rooms.apply(event)
            self.position = position + 1
            self.missed += not kept

    def _revise(self, hour: int, known_ms: int, *, final: bool = False) -> Iterator[Revised]:
        """Writes an hour, if there is something new."""
        first_hour = self._slates.first_hour
        if first_hour is None or hour < first_hour:
            return
        before = self._samples.covers(hour)
        rows, decided_ms = self._rows.since(rows_from_ms(hour)), (hour + 1) * HOUR_MS + REACH_MS
        new = rows["position"].to_numpy() >= before.events
        corrections = int((new & (rows["time_ms"].to_numpy() < decided_ms)).sum())
        undecided = before.known_ms < min(known_ms, decided_ms)
        if not (corrections or undecided or self._slates.end(hour) > before.slates):
            return
        covers = Covers(before.number + 1, self.position, self._slates.end(hour), known_ms)
        layout = self._layout(hour)
        if layout is None:
            return
        found = Hour(
            number=hour,
            rows=rows,
            extent=Extent(known_ms, frozenset(self._rows.kinds)),
            slates=self._slates.read(hour),
            layout_name=self._slates.layout(hour),
            layout=layout,
        )
        rooms = self._rooms.of(found.start_ms, found.end_ms, layout)
        if written := write_hour(found, rooms, self._samples, covers, self._source):
            self._samples.finished(hour, covers)
            yield Revised(hour, covers.number, written, corrections if before.number else 0, final)

    def _layout(self, hour: int) -> Layout | None:
        """The columns of an hour; None if the catalogue lacks one, as of an hour before the service was changed.

        Raises:
            DataError: It lacks one of the newest hour.
        """
        name = self._slates.layout(hour)
        layout = read_layout(self._served, name)
        if not (problems := self._source.catalog.check(layout)):
            return layout
        told = f"{self._served}: expected slates with columns of this catalogue: {'; '.join(problems)}"
        if name == self._slates.newest_layout():
            raise DataError(f"{told} (are the settings those of the service?)")
        _log.warning("%s is left as it is: %s", hour_name(hour), told)
        return None

    def _close(self, hour: int) -> None:
        """The hour cannot change any more: lets go of what the later ones do not need, and saves how far it is."""
        self._hour = hour + 1
        self._rows.forget(rows_from_ms(hour + 1))
        self._rooms.forget((hour + 1) * HOUR_MS)
        self._slates.forget(hour + 1)
        self._looked.pop(hour, None)
        first_hour = self._slates.first_hour
        if first_hour is None or hour < first_hour:
            return
        self._samples.close(hour - 1)
        if self._keep_hours is not None:
            self._samples.forget(hour + 1 - self._keep_hours)
        if self._samples.covers(hour).number:
            self._erase()
            self._samples.save(self._progress(hour + 1, first_hour), self._rooms.arrays())

    def _erase(self) -> None:
        """Takes the users who have been erased since the last time out of the hours that are over."""
        noted = self._erasures()
        told = self._erased | dict(zip(noted.keys.tolist(), noted.until_ms.tolist(), strict=True))
        new = {key: until_ms for key, until_ms in told.items() if self._left.get(key) != until_ms}
        if new and self._hour is not None:
            erase_users(self._samples.uri, Erased.of(new), self._hour)
            self._left |= new
        self._erased.clear()

    def _progress(self, hour: int, first_hour: int) -> Progress:
        return Progress(
            position=self.position,
            rows_from=self._rows.first_position(self.position),
            slates_from=self._slates.position(),
            hour=hour,
            first_hour=first_hour,
            layout=self._slates.layout(hour - 1),
            last_ms=self._rows.last_ms,
            now_ms=self.now_ms,
            kinds=tuple(sorted(self._rows.kinds)),
        )

    def _resume(self, progress: Progress) -> FollowedSlates:
        """Takes up what an earlier worker knew; its events from `rows_from` on have to be read again."""
        self.position, self.now_ms, self._hour = progress.position, progress.now_ms, progress.hour
        self._rows = Rows(rows_from_ms(progress.hour), progress.last_ms, set(progress.kinds))
        return FollowedSlates(
            self._served, progress.slates_from, first_hour=progress.first_hour, layout=progress.layout
        )
