"""Rates: how often each caller may call, by a token bucket that holds one second's calls."""

from collections import OrderedDict

MOST_CALLERS = 10_000
"""Callers that are remembered; of more, those who have not called for longest start with a full bucket again."""


class Rates:
    """The buckets of all callers."""

    def __init__(self) -> None:
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, caller: str, rate: float, now_s: float) -> float:
        """Takes a call out of a caller's bucket.

        Args:
            caller: Who calls.
            rate: Calls a second, above 0; at least one is always allowed at once.
            now_s: Seconds on a steady clock.

        Returns:
            0 = it may go on; else how long it takes until the next call may.
        """
        most = max(1.0, rate)
        left, then_s = self._buckets.pop(caller, (most, now_s))
        left = min(most, left + (now_s - then_s) * rate)
        wait_s = max(0.0, (1 - left) / rate)
        self._buckets[caller] = (left if wait_s else left - 1, now_s)
        if len(self._buckets) > MOST_CALLERS:
            self._buckets.popitem(last=False)
        return wait_s
