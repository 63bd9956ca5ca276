"""Questions of a comparison: who is asked, which rooms are offered, and which of them was entered."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data.samples import RoomVersions
from training.evaluate_recall import RecallCases
from training.recall_baselines import Case, Enters, VisitedStreamers

Places = NDArray[np.intp]
"""Places of rooms among those offered in a question."""


@dataclass(frozen=True, slots=True)
class Questions:
    """Cases with the rooms that each may choose from, C questions in order of time.

    Attributes:
        cases: What was entered, by whom and when.
        offered: Rows of `RoomVersions`, intp [N_c] a question; the target's is among them.
        target: The target's place in `offered`, intp [C].
        repeat: Whether the viewer had entered the target's streamer before, bool [C].
    """

    cases: RecallCases
    offered: tuple[NDArray[np.intp], ...]
    target: Places
    repeat: NDArray[np.bool_]

    def __len__(self) -> int:
        """Number of questions."""
        return len(self.cases)

    @property
    def mean_offered(self) -> float:
        """Rooms that a question offers, on average."""
        return float(np.mean([len(rows) for rows in self.offered])) if self.offered else 0.0

    def case(self, number: int) -> Case:
        """What a scorer is told of a question."""
        cases = self.cases
        return Case(number, int(cases.time_ms[number]), int(cases.user[number]), int(cases.user_row[number]))


def among_live(cases: RecallCases, rooms: RoomVersions, enters: Enters) -> Questions:
    """Offers the rooms on air at each case's moment, and the target where it was not among them.

    Args:
        cases: Their rooms are known; any order.
        rooms: Which rooms were on air when.
        enters: Of the whole log: whether a streamer is new to the viewer.
    """
    cases = _in_time(cases)
    offered: list[NDArray[np.intp]] = []
    target = np.zeros(len(cases), np.intp)
    for number, (time_ms, room) in enumerate(zip(cases.time_ms.tolist(), cases.room.tolist(), strict=True)):
        rows = rooms.live_at(time_ms)
        place = np.flatnonzero(rooms.room[rows] == room)
        if not len(place):
            versions = np.flatnonzero(rooms.room == room)
            rows = np.append(rows, versions[np.argmin(np.abs(rooms.start_ms[versions] - time_ms))])
            place = np.array([len(rows) - 1])
        offered.append(rows)
        target[number] = place[0]
    return Questions(cases, tuple(offered), target, _repeat(cases, enters))


def among_all(cases: RecallCases, rooms: RoomVersions, enters: Enters) -> Questions:
    """Offers every streamer of the data set, on air or not, by her first room; arguments as of `among_live`."""
    cases = _in_time(cases)
    streamers, first = np.unique(rooms.streamer, return_index=True)
    target = np.searchsorted(streamers, cases.streamer).astype(np.intp)
    return Questions(cases, (first.astype(np.intp),) * len(cases), target, _repeat(cases, enters))


def _in_time(cases: RecallCases) -> RecallCases:
    return cases.take(np.argsort(cases.time_ms, kind="stable"))


def _repeat(cases: RecallCases, enters: Enters) -> NDArray[np.bool_]:
    visited = VisitedStreamers(enters)
    rows = zip(cases.user.tolist(), cases.time_ms.tolist(), cases.streamer.tolist(), strict=True)
    return np.array([bool((visited.before(user, time_ms) == streamer).any()) for user, time_ms, streamer in rows], bool)
