"""The schedule of hours: when which revisions are due, as the embedded worker has it by default."""

from collections.abc import Iterator
from math import gcd

from training.data.hours import HOUR_MS
from training.streaming.hour_join import CORRECT_HOURS, FIRST_MS

LAST_REVISION = CORRECT_HOURS + 1
"""The one that is not written again."""

BUCKET_MS = gcd(HOUR_MS, FIRST_MS)
"""So much of the logs waits together; what counts at a moment are whole buckets."""

Due = tuple[int, int]
"""An hour since the Unix epoch, and the number of its revision."""


def due_ms(at_ms: int) -> Iterator[int]:
    """The moments at which the hour of some time has to be looked at, Unix milliseconds; all are later."""
    return (moment_of(at_ms // HOUR_MS, revision) for revision in range(1, LAST_REVISION + 1))


def revisions_at(moment_ms: int, *, final: bool) -> Iterator[Due]:
    """The hours that are due at such a moment, each with the number of its revision.

    Args:
        moment_ms: One of `due_ms`.
        final: Last revisions alone.
    """
    newest = (moment_ms - FIRST_MS) // HOUR_MS - 1
    first = LAST_REVISION if final else 1
    return ((newest + 1 - revision, revision) for revision in range(first, LAST_REVISION + 1))


def oldest_open(moment_ms: int) -> int:
    """The oldest hour that is not written for the last time by then."""
    return (moment_ms - FIRST_MS) // HOUR_MS - CORRECT_HOURS


def moment_of(hour: int, revision: int) -> int:
    """When a revision of an hour is due: what was received by then counts, Unix milliseconds."""
    return (hour + revision) * HOUR_MS + FIRST_MS
