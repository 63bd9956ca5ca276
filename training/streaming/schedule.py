"""The schedule of hours: when which of their revisions are due. The embedded worker and the Flink job keep the same."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import gcd

from training.data.errors import DataError
from training.data.hours import HOUR_MS
from training.data.served_impressions import SEEN_WITHIN_MS
from training.data.split import LONGEST_WINDOW_MS
from training.heads import HEADS

REACH_MS = SEEN_WITHIN_MS + LONGEST_WINDOW_MS
"""So long after an hour something may happen that its labels depend on."""

FIRST_MS = HEADS["enter"].window_s * 1000
"""So long after its end an hour is written first."""

CORRECT_HOURS = REACH_MS // HOUR_MS
"""The fewest after which all labels are decided; the default."""

BUCKET_MS = gcd(HOUR_MS, FIRST_MS)
"""So much of the logs waits together; what counts at a moment are whole buckets."""

Due = tuple[int, int]
"""An hour since the Unix epoch, and the number of its revision."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """When hours are written.

    Attributes:
        correct_hours: How long late events correct an hour.

    Raises:
        DataError: Labels would stay undecided after so few hours.
    """

    correct_hours: int = CORRECT_HOURS

    def __post_init__(self) -> None:
        """Checks that labels are decided by then."""
        if self.correct_hours < CORRECT_HOURS:
            raise DataError(f"correct_hours: expected at least {CORRECT_HOURS}, received {self.correct_hours}")

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

    def final_ms(self, hour: int) -> int:
        """When an hour is written for the last time, Unix milliseconds."""
        return moment_of(hour, self.last_revision)

    def oldest_open(self, moment_ms: int) -> int:
        """The oldest hour that is not written for the last time by then."""
        return (moment_ms - FIRST_MS) // HOUR_MS - self.correct_hours


def moment_of(hour: int, revision: int) -> int:
    """When a revision of an hour is due: what was received by then counts, Unix milliseconds."""
    return (hour + revision) * HOUR_MS + FIRST_MS
