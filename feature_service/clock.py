"""The service's clock: wall time, or the time of a log of another year that ticks on from its end."""

import time
from collections.abc import Callable

NowMs = Callable[[], int]
"""The clock: Unix milliseconds, UTC."""


def wall_clock() -> int:
    """The machine's time, Unix milliseconds."""
    return time.time_ns() // 1_000_000


def clock_from(start_ms: int) -> NowMs:
    """A clock that shows `start_ms` now and goes on from there (`serve --as-of log`)."""
    offset_ms = start_ms - wall_clock()
    return lambda: wall_clock() + offset_ms
