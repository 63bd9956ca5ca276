"""Samples: point-in-time feature tensors of impressions with their labels, in columns."""

from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from feature_service.features.layout import Layout
from training.heads import HEAD_NAMES


def _take(columns: object, rows: NDArray[np.intp], names: tuple[str, ...]) -> dict[str, object]:
    return {name: getattr(columns, name)[rows] for name in names}


@dataclass(frozen=True, slots=True)
class Slates:
    """What one request is: the user side, a row a slate.

    Attributes:
        tensors: Packed user tensors by name, [U, width] or [U, length, width].
        time_ms: When the features were computed, int64 [U].
        user: User key, int64 [U].
    """

    tensors: dict[str, NDArray[np.generic]]
    time_ms: NDArray[np.int64]
    user: NDArray[np.int64]

    def take(self, rows: NDArray[np.intp]) -> Self:
        """These slates, in this order."""
        tensors = {name: tensor[rows] for name, tensor in self.tensors.items()}
        return replace(self, tensors=tensors, time_ms=self.time_ms[rows], user=self.user[rows])


@dataclass(frozen=True, slots=True)
class Candidates:
    """What was shown: the candidate side, a row an impression, ordered by slate.

    Attributes:
        tensors: Packed candidate tensors by name, [N, width].
        slate: Row of the impression's slate in `Slates`, int32 [N], ascending.
        room: Room key, int64 [N].
        streamer: Streamer key, int64 [N].
        position: Place in the slate, int16 [N]; -1 = unknown.
        propensity: Probability of being shown there, float32 [N]; 0 = not logged.
        sampled: Not shown but drawn among the rooms live then, bool [N].
        censored: Whether the visit ended with the room, so that it could have lasted longer, bool [N].
        labels: A column a head of `training.heads.HEADS`, float32 [N, heads]; 0 where masked.
        mask: Whether the label exists, bool [N, heads].
        delay_s: How long after the impression each label became positive, seconds, float32 [N, heads]; infinite where
            it is not, or where the head is no probability. None = the set was made without.
    """

    tensors: dict[str, NDArray[np.generic]]
    slate: NDArray[np.int32]
    room: NDArray[np.int64]
    streamer: NDArray[np.int64]
    position: NDArray[np.int16]
    propensity: NDArray[np.float32]
    sampled: NDArray[np.bool_]
    censored: NDArray[np.bool_]
    labels: NDArray[np.float32]
    mask: NDArray[np.bool_]
    delay_s: NDArray[np.float32] | None = None

    @property
    def entered(self) -> NDArray[np.bool_]:
        """Whether the impression is known to have been entered, bool [N]."""
        enter = HEAD_NAMES.index("enter")
        return self.mask[:, enter] & (self.labels[:, enter] > 0)

    def take(self, rows: NDArray[np.intp]) -> Self:
        """These impressions, in this order, with the slate rows as they are."""
        absent = ("tensors",) if self.delay_s is not None else ("tensors", "delay_s")
        plain = tuple(field.name for field in fields(self) if field.name not in absent)
        tensors = {name: tensor[rows] for name, tensor in self.tensors.items()}
        return replace(self, tensors=tensors, **_take(self, rows, plain))


@dataclass(frozen=True, slots=True)
class Samples:
    """Impressions with features and labels.

    Attributes:
        layout: The columns of the tensors, and the heads that have labels here.
        slates: The user side, ordered by time.
        candidates: The candidate side, ordered by slate.
    """

    layout: Layout
    slates: Slates
    candidates: Candidates

    def between(self, start_ms: int, stop_ms: int) -> Self:
        """The samples whose slate was served in [start_ms, stop_ms)."""
        return self.of_slates((self.slates.time_ms >= start_ms) & (self.slates.time_ms < stop_ms))

    def of_slates(self, keep: NDArray[np.bool_]) -> Self:
        """The samples of the slates for which `keep`, bool [U], holds."""
        new_row = np.cumsum(keep, dtype=np.int32) - 1
        kept = self.candidates.take(np.flatnonzero(keep[self.candidates.slate]))
        candidates = replace(kept, slate=new_row[kept.slate].astype(np.int32))
        return replace(self, slates=self.slates.take(np.flatnonzero(keep)), candidates=candidates)


@dataclass(frozen=True, slots=True)
class RoomVersions:
    """What the room tower sees of rooms: a row each time that a room's slow features changed.

    Attributes:
        tensors: Packed candidate tensors by name, [R, width]; pair and heat columns are as for an unknown user.
        room: Room key, int64 [R].
        streamer: Streamer key, int64 [R].
        start_ms: From when this version held, int64 [R].
        stop_ms: Until when (the next version, or the room's end), int64 [R].
    """

    tensors: dict[str, NDArray[np.generic]]
    room: NDArray[np.int64]
    streamer: NDArray[np.int64]
    start_ms: NDArray[np.int64]
    stop_ms: NDArray[np.int64]

    def live_at(self, time_ms: int) -> NDArray[np.intp]:
        """Rows of the rooms on air at that time, one a room."""
        return np.flatnonzero((self.start_ms <= time_ms) & (time_ms < self.stop_ms))
