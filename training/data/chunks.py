"""Chunks: samples in the making. Slates are captured one by one, and their tensors built a block at a time."""

from dataclasses import dataclass

import numpy as np

from feature_service.features.catalog import Catalog
from feature_service.features.layout import CANDIDATE_TENSORS, Layout, TensorLayout
from feature_service.features.state import State
from feature_service.features.tensors import TensorBuilder, Tensors
from feature_service.features.view import Context
from training.data.captured import CapturedRequests
from training.data.requests import Numbered
from training.data.samples import Candidates, Slates
from training.heads import HEAD_NAMES

_BLOCK_SLATES = 64  # So many are built at once: enough to share numpy's costs a call, few enough for a core's cache.
_MEAN_SLATE = 10


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


@dataclass(frozen=True, slots=True)
class Slate:
    """One slate as replay meets it.

    Attributes:
        impressions: What was shown, each with its position in the log.
        time_ms: The clock of its features.
        context: Where and how the user asked.
        user: User key.
        rooms: Room keys.
        streamers: Streamer keys.
    """

    impressions: list[Numbered]
    time_ms: int
    context: Context
    user: int
    rooms: list[int]
    streamers: list[int]


class ChunkBuffer:
    """Collects slates until they are taken as a chunk."""

    def __init__(self, catalog: Catalog, layout: Layout, state: State, slates: int) -> None:
        """Starts empty.

        Args:
            catalog: The features.
            layout: The columns of the samples.
            state: What they are computed from.
            slates: When it is full; long slates fill it sooner.
        """
        self._layout = layout
        self._state = state
        self._builder = TensorBuilder(catalog, layout)
        self._captured = CapturedRequests(state)
        self._most = slates
        self._first = 0
        self._clear()

    @property
    def full(self) -> bool:
        """Whether it is time to take the chunk, which bounds the memory that it needs."""
        return len(self._slates) >= self._most or self._impressions >= self._most * _MEAN_SLATE

    def add(self, slate: Slate) -> None:
        """Takes a slate, with the records of its user and rooms as they stand now."""
        rooms, streamers = self._state.rooms, self._state.streamers
        rows = np.array([rooms.find(key) for key in slate.rooms], np.intp)
        streamer_rows = np.array([streamers.find(key) for key in slate.streamers], np.intp)
        self._captured.add(slate.user, rows, streamer_rows, slate.context, slate.time_ms)
        self._slates.append(slate)
        self._impressions += len(slate.impressions)
        if len(self._captured) == _BLOCK_SLATES:
            self._build()

    def take(self) -> Chunk | None:
        """What was collected; the buffer starts anew. None when there is nothing."""
        slates = self._slates
        if not slates:
            return None
        if len(self._captured):
            self._build()
        tensors = {name: np.concatenate([block[name] for block in self._blocks]) for name in self._blocks[0]}
        chunk = Chunk(
            Slates(
                {name: values for name, values in tensors.items() if name not in CANDIDATE_TENSORS},
                np.array([slate.time_ms for slate in slates], np.int64),
                np.array([slate.user for slate in slates], np.int64),
            ),
            self._candidates({name: values for name, values in tensors.items() if name in CANDIDATE_TENSORS}),
            np.array([position for slate in slates for position, _ in slate.impressions], np.int64),
        )
        self._first += len(slates)
        self._clear()
        return chunk

    def _candidates(self, tensors: Tensors) -> Candidates:
        slates = self._slates
        events = [event for slate in slates for _, event in slate.impressions]
        numbers = np.arange(self._first, self._first + len(slates), dtype=np.int32)
        return Candidates(
            tensors=tensors,
            slate=np.repeat(numbers, [len(slate.impressions) for slate in slates]),
            room=np.array([key for slate in slates for key in slate.rooms], np.int64),
            streamer=np.array([key for slate in slates for key in slate.streamers], np.int64),
            position=np.array([event.position for event in events], np.int16),
            propensity=np.array([event.propensity for event in events], np.float32),
            sampled=np.array([event.sampled for event in events], np.bool_),
            censored=np.zeros(len(events), np.bool_),
            labels=np.zeros((len(events), len(HEAD_NAMES)), np.float32),
            mask=np.zeros((len(events), len(HEAD_NAMES)), np.bool_),
        )

    def _build(self) -> None:
        self._blocks.append(self._builder.build(self._captured.take()))

    def _clear(self) -> None:
        self._slates: list[Slate] = []
        self._impressions = 0
        self._blocks: list[Tensors] = []


def item_shape(tensor: TensorLayout) -> tuple[int, ...]:
    """Shape of one row of a packed tensor: [width], or [length, width] of a sequence."""
    return (tensor.length, tensor.width) if tensor.length else (tensor.width,)
