"""Small sets of rooms, cases and lists for the tests of the comparison."""

import numpy as np

from training.compare.found import Found
from training.data.samples import RoomVersions
from training.evaluate_recall import RecallCases
from training.recall_baselines import Enters


def rooms_of(*rows: tuple[int, int, int, int]) -> RoomVersions:
    """Room versions from (room, streamer, start, stop)."""
    return RoomVersions({}, *(np.array(column, np.int64) for column in zip(*rows, strict=True)))


def cases_of(*rows: tuple[int, int, int, int, int]) -> RecallCases:
    """Cases from (time, user, user row, room, streamer)."""
    return RecallCases(*(np.array(column, np.int64) for column in zip(*rows, strict=True)))


def enters_of(*rows: tuple[int, int, int]) -> Enters:
    """Enters from (time, user, streamer)."""
    return Enters.of(*(np.array(column, np.int64) for column in zip(*rows, strict=True)))


def found_of(*lists: list[int]) -> Found:
    """Lists of places, best first."""
    places = tuple(np.array(each, np.intp) for each in lists)
    return Found(places, tuple(-np.arange(len(each), dtype=np.float32) for each in lists), 1.0)
