"""Committing: the parts of an hour, once all shards have spoken, as a revision of its samples in Parquet."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from training.data.chunks import Chunk
from training.data.errors import DataError
from training.data.hours import hours_in, revision_name
from training.data.join import Labels
from training.data.locations import locate, reachable
from training.data.platform import settings_toml
from training.data.samples import Candidates, Slates
from training.data.samples_io import SampleAbout, SampleWriter
from training.heads import HEAD_NAMES
from training.streaming.flink import rooms, viewers
from training.streaming.flink.parts import Arrays, PartKey, Side, arrays_of_line, key_of_line
from training.streaming.flink.plan import PARTS, Plan, whole_files
from training.streaming.hourly_samples import Covers, HourlySamples
from training.streaming.schedule import moment_of


@dataclass(frozen=True, slots=True)
class Committed:
    """A revision that was written.

    Attributes:
        hour: Hours since the Unix epoch.
        revision: Its number.
        slates: Slates.
        impressions: Impressions.
    """

    hour: int
    revision: int
    slates: int
    impressions: int


_Line = tuple[str, int, int]
"""A file, and where in it the line begins and ends, bytes."""

_MOST_KEY = 100
"""So many bytes hold the key of any part."""


class Committer:
    """Turns what a job has put down into samples; what is there already is left, so that it may be run at any time.

    Attributes:
        final: The newest hour that is written for the last time; None as long as none is.
    """

    def __init__(self, output: str, samples: str, *, keep_hours: int | None = None) -> None:
        """Takes a job's output.

        Args:
            output: URI of it.
            samples: URI of the samples' folder.
            keep_hours: Of the hours that are written for the last time so many are kept, None = all.

        Raises:
            DataError: There is no plan in the output.
        """
        self._output, self._plan = output, Plan.read(output)
        self._catalog = self._plan.catalog()
        self._layout = replace(self._plan.columns(), heads=HEAD_NAMES)
        self._filesystem, folder = locate(output)
        self._parts = f"{folder}/{PARTS}"
        self._samples, self._keep_hours = HourlySamples(samples), keep_hours
        self._begun = bool(hours_in(*locate(samples)))
        self._found: dict[tuple[int, int], dict[tuple[Side, int], _Line]] = {}
        self._newest: dict[str, int] = {}
        self.final: int | None = None

    def commit(self) -> Iterator[Committed]:
        """Writes the newest whole revision of each hour, unless it is written.

        Raises:
            DataError: A part is damaged, or the samples cannot be written.
        """
        for key, line in self._new_lines():
            self._found.setdefault((key.hour, key.revision), {})[key.side, key.shard] = line
        newest = {hour: number for (hour, number), lines in sorted(self._found.items()) if self._is_whole(lines)}
        last = self._plan.schedule().last_revision
        self.final = max((hour for hour, number in newest.items() if number == last), default=self.final)
        for hour, number in newest.items():
            if hour >= self._kept_from and number > self._samples.covers(hour).number:
                yield from self._write(hour, number, self._found[hour, number])

    def forget(self) -> int:
        """Removes the files of parts that no revision needs any more, and hours that are not to be kept.

        To be called after `commit`; returns how many files they were.

        The files of the newest hour that is written for the last time stay: should a job's files have appeared in
        another order than they were written in, none is missed.

        Raises:
            DataError: They cannot be removed.
        """
        final = self.final
        if self._kept_from:
            self._samples.forget(self._kept_from)
        over = sorted(path for path, hour in self._newest.items() if final is not None and hour < final)
        with reachable(self._output):
            for path in over:
                self._filesystem.delete_file(path)
                del self._newest[path]
        for key in [key for key in self._found if final is not None and key[0] < final]:
            del self._found[key]
        return len(over)

    @property
    def _kept_from(self) -> int:
        """The oldest hour that is kept; 0 = all are."""
        return 0 if self.final is None or self._keep_hours is None else self.final + 1 - self._keep_hours

    def _is_whole(self, lines: Mapping[tuple[Side, int], _Line]) -> bool:
        """Whether all shards of both sides have spoken."""
        return len(lines) == 2 * self._plan.shards

    def _write(self, hour: int, revision: int, lines: Mapping[tuple[Side, int], _Line]) -> Iterator[Committed]:
        """Writes a revision, unless nothing happened and no room version ended, or no slate has been served so far."""
        seen = viewers.together([*self._arrays(lines, "viewers")])
        ended, carried = rooms.together([*self._arrays(lines, "rooms")])
        if not (seen.counts.events or len(ended.room)) or (seen.samples is None and not self._begun):
            return
        self._begun = True
        part, covers = revision_name(hour, revision), Covers(revision, known_ms=moment_of(hour, revision))
        self._samples.begin(part, covers)
        writer = SampleWriter(self._samples.uri, self._layout, delays=True, part=part)
        slates, impressions = 0, 0
        if seen.samples is not None:
            slates, impressions = len(seen.samples[0].user), len(seen.samples[1].room)
            writer.chunk(*_chunk(*seen.samples))
        writer.enters(seen.enters)
        writer.rooms(ended)
        writer.carried(carried)
        about = self._about(seen.counts, slates, impressions, len(ended.room))
        writer.finish(about, settings_toml(self._catalog))
        self._samples.finished(hour, covers)
        yield Committed(hour, revision, slates, impressions)

    def _about(self, counts: viewers.Counts, slates: int, impressions: int, versions: int) -> SampleAbout:
        return SampleAbout(
            log=self._plan.log,
            importer="",
            heads=self._layout.heads,
            lacks=(),
            fingerprint=self._catalog.fingerprint,
            first_ms=counts.first_ms,
            last_ms=counts.last_ms,
            events=counts.events,
            slates=slates,
            candidates=impressions,
            sampled=0,
            duplicates=0,
            late=counts.late,
            room_versions=versions,
        )

    def _new_lines(self) -> Iterator[tuple[PartKey, _Line]]:
        """The parts that have come since the last call, each with its place; a file that is there does not change."""
        with reachable(self._output):
            items = whole_files(self._filesystem, self._parts)
        for item in items:
            if item.path not in self._newest:
                lines = list(self._lines_of(item.path))
                self._newest[item.path] = max((key.hour for key, _ in lines), default=0)
                yield from lines

    def _lines_of(self, path: str) -> Iterator[tuple[PartKey, _Line]]:
        offset = 0
        with self._filesystem.open_input_file(path) as file:
            for line in file.read().splitlines():
                try:
                    yield key_of_line(line[:_MOST_KEY].decode()), (path, offset, offset + len(line))
                except (DataError, UnicodeDecodeError) as error:
                    raise DataError(f"{path}, byte {offset}: {error}") from error
                offset += len(line) + 1

    def _arrays(self, lines: Mapping[tuple[Side, int], _Line], side: Side) -> Iterator[Arrays]:
        """The parts of one side, by shard."""
        for (held, _), (path, offset, end) in sorted(lines.items()):
            if held == side:
                with self._filesystem.open_input_file(path) as file:
                    file.seek(offset)
                    try:
                        yield arrays_of_line(file.read(end - offset).decode())
                    except (DataError, UnicodeDecodeError) as error:
                        raise DataError(f"{path}, byte {offset}: {error}") from error


def _chunk(slates: Slates, held: Candidates) -> tuple[Chunk, Labels]:
    """Samples as their writer takes them."""
    if held.delay_s is None:
        raise DataError("delay_s: expected it in the parts of an hour, found none")
    event = np.arange(len(held.room), dtype=np.int64)
    return Chunk(slates, held, event), Labels(event, held.labels, held.mask, held.censored, held.delay_s)
