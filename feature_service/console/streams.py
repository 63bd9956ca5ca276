"""Server-sent events, bounded: so many readers at once, each for some minutes, then the browser asks again."""

import threading
import time
from collections.abc import Callable, Iterator

MOST_STREAMS = 16
"""Each takes a thread of the console while it lasts."""

EVERY_S = 3.0
LIFE_S = 300.0
RETRY_MS = 2_000


class Streams:
    """Counts the streams that are open."""

    def __init__(self, most: int = MOST_STREAMS, every_s: float = EVERY_S, life_s: float = LIFE_S) -> None:
        """Starts with none.

        Args:
            most: Streams at once.
            every_s: From one event to the next.
            life_s: After so long a stream ends by itself.
        """
        self._free = threading.BoundedSemaphore(most)
        self._every_s = every_s
        self._events = max(1, round(life_s / every_s))

    def opened(self, tell: Callable[[], str]) -> "Stream | None":
        """A stream of what `tell` says again and again; None = too many are open.

        The place is given back when the stream ends, or is closed by whoever reads it.
        """
        if not self._free.acquire(blocking=False):
            return None
        return Stream(self._told(tell), self._free.release)

    def _told(self, tell: Callable[[], str]) -> Iterator[str]:
        yield f"retry: {RETRY_MS}\n\n"
        for i in range(self._events):
            if i:
                time.sleep(self._every_s)
            yield _event(tell())


class Stream:
    """An iterator that says once when it is over, whether it was begun or not."""

    def __init__(self, events: Iterator[str], over: Callable[[], None]) -> None:
        self._events = events
        self._over: Callable[[], None] | None = over

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        try:
            return next(self._events)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Gives the place back."""
        over, self._over = self._over, None
        if over:
            over()


def _event(text: str) -> str:
    """One event; a line of its own for each line of the text."""
    lines = "\n".join(f"data: {line}" for line in text.splitlines())
    return f"{lines}\n\n"
