"""What the service answered in the last minutes: counts by method and status, quantiles of the time it took."""

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

MINUTES = 15
"""How far back is looked, the present minute included."""

SHORTEST_MS = 0.1
GROWTH = 1.1
"""Each bin of the times is a tenth longer than the one before: so exact are the quantiles."""

BINS = 145
"""The last one begins at 90 s."""

_NONE = np.zeros(BINS, np.int64)


@dataclass(slots=True)
class _Minute:
    """What happened in one minute of the process's time."""

    number: int
    calls: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    times: dict[str, NDArray[np.int64]] = field(default_factory=dict[str, NDArray[np.int64]])
    rungs: Counter[str] = field(default_factory=Counter[str])
    degraded: Counter[str] = field(default_factory=Counter[str])


@dataclass(frozen=True, slots=True)
class Times:
    """Quantiles of times in milliseconds; 0 where there was none."""

    p50_ms: float
    p95_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class MinuteCounts:
    """One minute: calls, those that ended with another status than OK, and the 99th percentile of their times."""

    calls: int
    failed: int
    p99_ms: float


class RecentCalls:
    """Counts calls by minutes; clocks are arguments, seconds on a steady one."""

    def __init__(self) -> None:
        self._minutes: deque[_Minute] = deque(maxlen=MINUTES)

    def call(self, method: str, status: str, duration_ms: float, now_s: float) -> None:
        """Counts a call that has ended."""
        minute = self._minute(now_s)
        minute.calls[method, status] += 1
        bins = minute.times.get(method)
        if bins is None:
            bins = minute.times[method] = np.zeros(BINS, np.int64)
        bins[_bin(duration_ms)] += 1

    def slate(self, rung: str, degraded: Iterable[str], now_s: float) -> None:
        """Counts a slate by its rung, and by the stages that it had to do without."""
        minute = self._minute(now_s)
        minute.rungs[rung] += 1
        minute.degraded.update(set(degraded))

    def minutes(self, now_s: float) -> list[MinuteCounts]:
        """The last `MINUTES`, oldest first; the last one is still going on."""
        held = {each.number: each for each in self._recent(now_s)}
        present = int(now_s // 60)
        return [_counts(held.get(number)) for number in range(present - MINUTES + 1, present + 1)]

    def methods(self, now_s: float) -> dict[str, tuple[dict[str, int], Times]]:
        """The calls of each method by status, and their times."""
        calls: dict[str, Counter[str]] = {}
        times: dict[str, NDArray[np.int64]] = {}
        for minute in self._recent(now_s):
            for (method, status), count in minute.calls.items():
                calls.setdefault(method, Counter())[status] += count
            for method, bins in minute.times.items():
                times[method] = times.get(method, _NONE) + bins
        return {method: (dict(calls[method]), _times(times[method])) for method in sorted(calls)}

    def rungs(self, now_s: float) -> dict[str, int]:
        """Slates by rung."""
        return dict(sum((minute.rungs for minute in self._recent(now_s)), Counter[str]()))

    def degraded(self, now_s: float) -> dict[str, int]:
        """Slates by the stage that they had to do without."""
        return dict(sum((minute.degraded for minute in self._recent(now_s)), Counter[str]()))

    def _minute(self, now_s: float) -> _Minute:
        number = int(now_s // 60)
        if not self._minutes or self._minutes[-1].number < number:
            self._minutes.append(_Minute(number))
        return self._minutes[-1]

    def _recent(self, now_s: float) -> list[_Minute]:
        oldest = int(now_s // 60) - MINUTES + 1
        return [minute for minute in self._minutes if minute.number >= oldest]


def _bin(duration_ms: float) -> int:
    place = np.log(max(duration_ms, SHORTEST_MS) / SHORTEST_MS) / np.log(GROWTH)
    return min(int(place), BINS - 1)


def _counts(minute: _Minute | None) -> MinuteCounts:
    if minute is None:
        return MinuteCounts(0, 0, 0.0)
    failed = sum(count for (_, status), count in minute.calls.items() if status != "OK")
    bins = _NONE
    for each in minute.times.values():
        bins = bins + each
    return MinuteCounts(minute.calls.total(), failed, _quantile(bins, 0.99))


def _times(bins: NDArray[np.int64]) -> Times:
    return Times(*(_quantile(bins, share) for share in (0.5, 0.95, 0.99)))


def _quantile(bins: NDArray[np.int64], share: float) -> float:
    """The middle of the bin that holds the quantile, milliseconds; 0 of no times."""
    total = bins.sum()
    if not total:
        return 0.0
    place = int(np.argmax(np.cumsum(bins) >= share * total))
    return SHORTEST_MS * GROWTH ** (place + 0.5)
