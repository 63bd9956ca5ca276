"""The rule of the channel `fresh` as a scorer of room versions, so that recall can be compared with it offline."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from feature_service.features.layout import CANDIDATE_VECTORS, HISTORY_IDS
from feature_service.recall import fresh
from training.data.dataset import Dataset
from training.data.samples import RoomVersions
from training.layers.visits import WATCHED
from training.recall_baselines import Case


@dataclass(frozen=True, slots=True)
class CountBefore:
    """How many things of its streamer had happened before a moment, by room version.

    Attributes:
        time_ms: Of the things, by streamer and time, int64 [E].
        first: Row of the first thing of each version's streamer there, int64 [R].
        stop: Row after the last one, int64 [R].
    """

    time_ms: NDArray[np.int64]
    first: NDArray[np.intp]
    stop: NDArray[np.intp]

    @classmethod
    def of(cls, time_ms: NDArray[np.int64], streamer: NDArray[np.int64], rooms: RoomVersions) -> "CountBefore":
        """Things in any order."""
        order = np.lexsort((time_ms, streamer))
        first, stop = (np.searchsorted(streamer[order], rooms.streamer, side) for side in ("left", "right"))
        return cls(time_ms[order], first, stop)

    def __call__(self, rows: NDArray[np.intp], time_ms: int) -> NDArray[np.int64]:
        """The counts of the versions in these rows, int64 [C]."""
        spans = zip(self.first[rows].tolist(), self.stop[rows].tolist(), strict=True)
        return np.array([np.searchsorted(self.time_ms[first:stop], time_ms) for first, stop in spans], np.int64)


@dataclass(frozen=True, slots=True)
class Fresh:
    """Rooms that have just started, or of newcomers, by lot; see `feature_service.recall.fresh`.

    Attributes:
        entries: Visits of the streamer so far.
        shown: Impressions of the streamer so far.
        broadcasts: Rooms of the streamer so far.
        started_ms: When each version's room started, int64 [R].
        content: Content vectors of the versions, of length 1 (or 0), float32 [R, width].
        taste: What the viewer of each slate watched, of length `SIMILARITY_WEIGHT` (or 0), float32 [U, width].
        seed: Of the lots.
    """

    entries: CountBefore
    shown: CountBefore
    broadcasts: CountBefore
    started_ms: NDArray[np.int64]
    content: NDArray[np.float32]
    taste: NDArray[np.float32]
    seed: int

    @classmethod
    def of(cls, dataset: Dataset, seed: int) -> "Fresh":
        """Prepares what a data set tells; cases are those of its test part."""
        rooms, enters = dataset.rooms, dataset.enters
        parts = (dataset.split.training, dataset.split.validation, dataset.split.test)
        times_ms = np.concatenate([part.slates.time_ms[part.candidates.slate] for part in parts])
        shown = np.concatenate([part.candidates.streamer for part in parts])
        _, first, room = np.unique(rooms.room, return_index=True, return_inverse=True)
        started_ms = np.full(len(first), np.iinfo(np.int64).max)
        np.minimum.at(started_ms, room, rooms.start_ms)
        content, taste = _tastes(dataset)
        return cls(
            CountBefore.of(enters.time_ms, enters.streamer, rooms),
            CountBefore.of(times_ms, shown, rooms),
            CountBefore.of(started_ms, rooms.streamer[first], rooms),
            started_ms[room],
            content,
            taste,
            seed,
        )

    def __call__(self, case: Case, rows: NDArray[np.intp], /) -> NDArray[np.floating]:
        """See `training.recall_baselines.Scorer`."""
        entries = self.entries(rows, case.time_ms)
        newcomer = (entries < fresh.NEWCOMER_ENTRIES) | (self.broadcasts(rows, case.time_ms) <= fresh.NEWCOMER_ROOMS)
        pool = newcomer | (self.started_ms[rows] > case.time_ms - fresh.JUST_STARTED_MS)
        shown = np.maximum(self.shown(rows, case.time_ms), entries)
        prior = fresh.RATE_PRIOR * fresh.PRIOR_IMPRESSIONS
        rate = (entries + prior) / (shown + fresh.PRIOR_IMPRESSIONS)
        weight = np.log(rate + fresh.BONUS / np.sqrt(1 + shown)) + self.content[rows] @ self.taste[case.user_row]
        lots = -np.log(np.random.default_rng([self.seed, case.number]).standard_exponential(len(rows)))
        return np.where(pool, weight + lots, -np.inf)


def _tastes(dataset: Dataset) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Contents of the room versions, and tastes of the test part's viewers, float32 [R, width] and [U, width]."""
    rooms, test = dataset.rooms, dataset.split.test
    if CANDIDATE_VECTORS not in rooms.tensors or HISTORY_IDS not in test.slates.tensors:
        return np.zeros((len(rooms.room), 0), np.float32), np.zeros((len(test.slates.user), 0), np.float32)
    content = _unit(rooms.tensors[CANDIDATE_VECTORS].astype(np.float32))
    last = np.lexsort((rooms.start_ms, rooms.streamer))
    last = last[rooms.start_ms[last] < dataset.at.test_ms]  # What a streamer showed last before the test part.
    known, first = np.unique(rooms.streamer[last][::-1], return_index=True)
    profile = np.vstack([content[last[::-1][first]], np.zeros_like(content[:1])])
    watched = test.slates.tensors[HISTORY_IDS][
        :, : fresh.TASTE_VISITS, test.layout[HISTORY_IDS].slices()[WATCHED].start
    ]
    place = np.minimum(np.searchsorted(known, watched), len(known) - 1)
    place = np.where(known[place] == watched, place, len(known))
    return content, fresh.SIMILARITY_WEIGHT * _unit(profile[place].sum(axis=1))


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The vectors [N, width] at length 1; zeros stay zeros."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), np.float32(1e-9))
