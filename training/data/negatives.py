"""Negatives: rooms drawn uniformly among those that were on air while the slates of a batch were served."""

import numpy as np
from numpy.typing import NDArray

from training.data.examples import Batch
from training.data.samples import RoomVersions

NEGATIVE = "negative_"
"""Before the name of a candidate tensor: that of the drawn rooms."""

NEGATIVE_STREAMER = f"{NEGATIVE}streamer"


class LiveNegatives:
    """Draws room versions, without a loop over slates or rooms."""

    def __init__(self, rooms: RoomVersions, count: int, seed: int) -> None:
        """Orders the versions by their start.

        Args:
            rooms: All versions, with the columns of the model.
            count: Versions a batch, at most.
            seed: Of the draws.
        """
        order = np.argsort(rooms.start_ms, kind="stable")
        self._tensors = {name: values[order] for name, values in rooms.tensors.items()}
        self._streamer, self._start_ms, self._stop_ms = (
            column[order] for column in (rooms.streamer, rooms.start_ms, rooms.stop_ms)
        )
        self._longest_ms = int((self._stop_ms - self._start_ms).max(initial=0))
        self._count, self._seed = count, seed

    def draw(self, times_ms: NDArray[np.int64], step: int) -> Batch:
        """Rooms for a batch of slates.

        Every version that held when one of the slates was served has the same chance; so for each slate, every room on
        air then has, while the versions that did not hold then are none of its negatives.

        Args:
            times_ms: When the slates were served, int64 [U].
            step: Number of the batch, which seeds the draw.

        Returns:
            `negative_<tensor>` [M, width] of the M versions drawn; `negative_streamer`, `negative_start_ms` and
            `negative_stop_ms`, when it held, int64 [M]; `negative_rate` float32, the chance of each to be drawn.
        """
        rows = self._held_during(times_ms)
        rate = min(1.0, self._count / max(len(rows), 1))
        if rate < 1.0:
            rows = np.random.default_rng((self._seed, step)).permutation(rows)[: self._count]
        batch: Batch = {NEGATIVE + name: values[rows] for name, values in self._tensors.items()}
        return batch | {
            NEGATIVE_STREAMER: self._streamer[rows],
            f"{NEGATIVE}start_ms": self._start_ms[rows],
            f"{NEGATIVE}stop_ms": self._stop_ms[rows],
            f"{NEGATIVE}rate": np.asarray(rate, np.float32),
        }

    def _held_during(self, times_ms: NDArray[np.int64]) -> NDArray[np.intp]:
        """The versions that held at one of these times at least, ascending."""
        times_ms = np.sort(times_ms)
        first, last = np.searchsorted(self._start_ms, [times_ms[0] - self._longest_ms, times_ms[-1] + 1])
        rows = np.arange(first, last)
        came, went = np.searchsorted(times_ms, self._start_ms[rows]), np.searchsorted(times_ms, self._stop_ms[rows])
        return rows[came < went]
