"""The heat of the rooms on air over the last minutes, sampled by the service, for sparklines."""

import asyncio
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from feature_service.features.state import State
from feature_service.live.table import LiveTable
from feature_service.recall.heat import Thermometer

STEP_S = 10.0
LENGTH = 60


class HeatSeries:
    """The last `LENGTH` samples of every room's heat at the 1-minute half-life; 5 MB for 20,000 rooms."""

    def __init__(self) -> None:
        self._thermometer = Thermometer()
        self._keys = np.zeros(0, np.int64)
        self._values = np.zeros((0, LENGTH), np.float32)
        self._next = 0

    def sample(self, state: State, live: LiveTable, now_ms: int) -> None:
        """Reads the heat of all rooms on air."""
        rows, keys = live.rows(now_ms), state.rooms.fields["key"]
        if len(keys) > len(self._keys):
            more = len(keys) - len(self._keys)
            self._keys = np.append(self._keys, np.zeros(more, np.int64))
            self._values = np.append(self._values, np.full((more, LENGTH), np.nan, np.float32), axis=0)
        others = rows[self._keys[rows] != keys[rows]]  # Rows that another room had before.
        self._values[others] = np.nan
        self._keys[others] = keys[others]
        self._values[:, self._next] = np.nan
        self._values[rows, self._next] = self._thermometer.read(state, rows, now_ms).minute
        self._next = (self._next + 1) % LENGTH

    def of(self, row: int, key: int) -> NDArray[np.float32]:
        """A room's samples, oldest first, float32 [≤ LENGTH]; none when it has not been on air at a sample."""
        if row >= len(self._keys) or self._keys[row] != key:
            return np.zeros(0, np.float32)
        values = np.roll(self._values[row], -self._next)
        return values[np.isfinite(values)]

    async def keep_sampling(self, state: State, live: LiveTable, now_ms: Callable[[], int]) -> None:
        """Samples, until cancelled."""
        while True:
            self.sample(state, live, now_ms())
            await asyncio.sleep(STEP_S)
