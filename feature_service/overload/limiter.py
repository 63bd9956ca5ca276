"""The limiter: lets as many requests run at once as are answered in time, and refuses others at once.

How many that is depends on the machine, the models and on what is asked, so it is learnt from how long answers take
(additive increase, multiplicative decrease: Chiu and Jain, Computer Networks and ISDN Systems 17, 1989; as many fewer
as the answer was slower than it may be: where the machine is the limit, time grows with how many run, by Little's law).
Requests that waited in a queue instead would all be late.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

from feature_service.overload.ladder import Rung, rung_at
from feature_service.overload.settings import OverloadSettings

START = 16
"""The first limit."""

MOST_DECREASE = 0.3
"""So much of the limit is left at least after one slow answer, however slow it was."""


class OverloadedError(Exception):
    """A request that is not let in.

    Attributes:
        retry_after_s: When another try is worth while.
    """

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Limiter:
    """Counts the requests of one kind that are in flight; belongs to one event loop."""

    def __init__(self, target_s: float, least: int, most: int, timer: Callable[[], float]) -> None:
        """Starts with none in flight.

        Args:
            target_s: A slower answer means that too many run at once.
            least: So many may always run.
            most: Never more than so many.
            timer: Seconds on a steady clock.
        """
        self._target_s = target_s
        self._least, self._most = least, most
        self._timer = timer
        self._limit = float(min(max(START, least), most))
        self._in_flight = 0
        self._decreased_s = timer()

    @property
    def in_flight(self) -> int:
        """Requests that run now."""
        return self._in_flight

    @property
    def limit(self) -> int:
        """How many may run now."""
        return int(self._limit)

    @contextmanager
    def admitted(self) -> Generator[Rung]:
        """Lets a request in for as long as the context lasts; answers with the rung that its answer is to have.

        Raises:
            OverloadedError: As many as may are in flight.
        """
        if self._in_flight >= self.limit:
            message = f"expected at most {self.limit} requests at once, and that many are in flight"
            raise OverloadedError(message, self._target_s)
        rung = rung_at(self._in_flight / self._limit)
        self._in_flight += 1
        start_s = self._timer()
        try:
            yield rung
        finally:
            self._learn(start_s, self._timer())
            self._in_flight -= 1

    def _learn(self, start_s: float, end_s: float) -> None:
        """Moves the limit; answers that began before the last decrease tell nothing of what came of it."""
        took_s = end_s - start_s
        if took_s > self._target_s:
            if start_s >= self._decreased_s:
                self._limit = max(self._least, self._limit * max(self._target_s / took_s, MOST_DECREASE))
                self._decreased_s = end_s
        elif 2 * self._in_flight >= self._limit:
            self._limit = min(self._most, self._limit + 1 / self._limit)


@dataclass(frozen=True, slots=True)
class Limiters:
    """Those of a process.

    Attributes:
        asking: Of calls that read.
        reporting: Of reports, which wait for the log.
    """

    asking: Limiter
    reporting: Limiter

    @classmethod
    def of(cls, overload: OverloadSettings, timer: Callable[[], float]) -> Self:
        """What the settings say, on a steady clock of seconds."""
        target_s, reports = overload.target_ms / 1000, overload.reports_in_flight
        return cls(
            asking=Limiter(target_s, overload.least_in_flight, overload.most_in_flight, timer),
            reporting=Limiter(target_s, reports, reports, timer),
        )
