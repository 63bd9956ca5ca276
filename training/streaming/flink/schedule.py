"""The schedule of hours: when which revisions are due, as the embedded worker has it."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import gcd

from training.data.hours import HOUR_MS
from training.streaming.hour_join import FIRST_MS

BUCKET_MS = gcd(HOUR_MS, FIRST_MS)
"""So much of the logs waits together; what counts at a moment are whole buckets."""

Due = tuple[int, int]
"""An hour since the Unix epoch, and the number of its revision."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """When hours are written.

    Attributes:
        correct_hours: How long late events correct an hour.
    """

    correct_hours: int

    @property
    def last_revision(self) -> int:
        """The one that is not written again."""
        return self.correct_hours + 1

    def due_ms(self, at_ms: int) -> Iterator[int]:
        """The moments at which the hour of some time has to be looked at, Unix milliseconds; all are later."""
        return (moment_of(at_ms // HOUR_MS, revision) for revision in range(1, self.last_revision + 1))

    def revisions_at(self, moment_ms: int, *, final: bool) -> Iterator[Due]:
        """The hours that are due at such a moment, each with the number of its revision.

        Args:
            moment_ms: One of `due_ms`.
            final: Last revisions alone.
        """
        newest = (moment_ms - FIRST_MS) // HOUR_MS - 1
        first = self.last_revision if final else 1
        return ((newest + 1 - revision, revision) for revision in range(first, self.last_revision + 1))

    def oldest_open(self, moment_ms: int) -> int:
        """The oldest hour that is not written for the last time by then."""
        return (moment_ms - FIRST_MS) // HOUR_MS - self.correct_hours


def moment_of(hour: int, revision: int) -> int:
    """When a revision of an hour is due: what was received by then counts, Unix milliseconds."""
    return (hour + revision) * HOUR_MS + FIRST_MS
