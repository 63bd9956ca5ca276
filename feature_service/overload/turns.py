"""Turns: one request computes at a time, and between two of them the event loop takes calls in.

gRPC hands one call to the loop in each of its rounds. If all requests that have something to compute did so in one
round, calls would wait unseen behind them, and be late before anybody could refuse them.
"""

import asyncio
from types import TracebackType

ROUNDS = 8
"""So many calls may be taken in after each turn; where none wait, rounds take microseconds."""


class Turns:
    """Whose turn it is to compute, in the order of asking; a context that is entered for the time of a turn."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    async def __aenter__(self) -> None:
        await self._lock.acquire()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            for _ in range(ROUNDS):
                await asyncio.sleep(0)
        finally:
            self._lock.release()
