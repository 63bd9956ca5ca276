"""Chunks: samples in the making, in arrays that are allocated once and handed on when full."""

from dataclasses import dataclass

import numpy as np

from feature_service.features.layout import CANDIDATE_TENSORS, DTYPES, Layout, TensorLayout
from feature_service.features.tensors import Tensors
from training.data.requests import Numbered
from training.data.samples import Candidates, Slates
from training.heads import HEAD_NAMES

"""The tensors with a row a candidate; the others have a row a slate."""

_ROWS_PER_SLATE = 10  # For the first allocation; a chunk ends when either side is full.


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stretch of samples whose labels are not joined yet.

    Attributes:
        slates: The user side.
        candidates: The candidate side; `slate` counts from the replay's first slate, labels are 0 and masked.
        event: Position of each impression in the log, int64 [N].
    """

    slates: Slates
    candidates: Candidates
    event: np.ndarray


class ChunkBuffer:
    """Collects slates until it is full."""

    def __init__(self, layout: Layout, slates: int) -> None:
        self._layout = layout
        self._slates = slates
        self._rows = slates * _ROWS_PER_SLATE
        self._first = 0
        self._allocate()

    def fits(self, rows: int) -> bool:
        """Whether one more slate of so many candidates has room; an empty buffer makes room for any."""
        if not self._used_slates and rows > self._rows:
            self._rows = rows
            self._allocate()
        return self._used_slates < self._slates and self._used_rows + rows <= self._rows

    def add(
        self,
        slate: list[Numbered],
        tensors: Tensors,
        *,
        time_ms: int,
        user: int,
        rooms: list[int],
        streamers: list[int],
    ) -> None:
        """Takes a slate's impressions, the packed tensors that were built for them, and the keys of their ids."""
        row, start = self._used_slates, self._used_rows
        stop = start + len(slate)
        for name, values in tensors.items():
            if name in CANDIDATE_TENSORS:
                self._tensors[name][start:stop] = values
            else:
                self._tensors[name][row] = values[0]
        self._time_ms[row] = time_ms
        self._user[row] = user
        self._event[start:stop] = [position for position, _ in slate]
        self._position[start:stop] = [event.position for _, event in slate]
        self._propensity[start:stop] = [event.propensity for _, event in slate]
        self._sampled[start:stop] = [event.sampled for _, event in slate]
        self._room[start:stop] = rooms
        self._streamer[start:stop] = streamers
        self._slate[start:stop] = self._first + row
        self._used_slates, self._used_rows = row + 1, stop

    def take(self) -> Chunk | None:
        """What was collected, as views; the buffer goes on with new arrays. None when there is nothing."""
        slates, rows = self._used_slates, self._used_rows
        if not slates:
            return None
        user = {name: values[:slates] for name, values in self._tensors.items() if name not in CANDIDATE_TENSORS}
        candidate = {name: values[:rows] for name, values in self._tensors.items() if name in CANDIDATE_TENSORS}
        chunk = Chunk(
            Slates(user, self._time_ms[:slates], self._user[:slates]),
            Candidates(
                tensors=candidate,
                slate=self._slate[:rows],
                room=self._room[:rows],
                streamer=self._streamer[:rows],
                position=self._position[:rows],
                propensity=self._propensity[:rows],
                sampled=self._sampled[:rows],
                labels=np.zeros((rows, len(HEAD_NAMES)), np.float32),
                mask=np.zeros((rows, len(HEAD_NAMES)), np.bool_),
            ),
            self._event[:rows],
        )
        self._first += slates
        self._allocate()
        return chunk

    def _allocate(self) -> None:
        self._used_slates = self._used_rows = 0
        self._tensors = {tensor.name: self._empty(tensor) for tensor in self._layout.tensors}
        self._time_ms = np.empty(self._slates, np.int64)
        self._user = np.empty(self._slates, np.int64)
        self._event = np.empty(self._rows, np.int64)
        self._slate = np.empty(self._rows, np.int32)
        self._room = np.empty(self._rows, np.int64)
        self._streamer = np.empty(self._rows, np.int64)
        self._position = np.empty(self._rows, np.int16)
        self._propensity = np.empty(self._rows, np.float32)
        self._sampled = np.empty(self._rows, np.bool_)

    def _empty(self, tensor: TensorLayout) -> np.ndarray:
        rows = self._rows if tensor.name in CANDIDATE_TENSORS else self._slates
        return np.empty((rows, *item_shape(tensor)), DTYPES[tensor.name])


def item_shape(tensor: TensorLayout) -> tuple[int, ...]:
    """Shape of one row of a packed tensor: [width], or [length, width] of a sequence."""
    return (tensor.length, tensor.width) if tensor.length else (tensor.width,)
