"""The samples of a worker beside those of the join of the whole log."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from tests.training.streaming.service_logs import CATALOG, ServiceLogs
from training.data.join import EnterColumns
from training.data.samples import Candidates, RoomVersions, Samples, Slates
from training.data.samples_io import read_enters, read_rooms, read_samples
from training.data.served_join import join_served


def batch(logs: ServiceLogs) -> Path:
    """The join of the whole log."""
    join_served(logs.log, logs.served, logs.data / "batch", CATALOG, delays=True)
    return logs.data / "batch"


def rows(columns: EnterColumns | RoomVersions) -> list[tuple[Any, ...]]:
    """The rows of columns, in an order of their own."""
    named = {each.name: getattr(columns, each.name) for each in fields(columns)}
    arrays = [*named.pop("tensors", {}).values(), *named.values()]
    return sorted(zip(*(array.tolist() for array in arrays), strict=True))


def _by_time(samples: Samples) -> tuple[Slates, Candidates]:
    """Slates by their clocks, those of one moment by viewer, with their candidates."""
    slates, candidates = samples.slates, samples.candidates
    order = np.lexsort((slates.user, slates.time_ms))
    moved = replace(candidates, slate=np.argsort(order)[candidates.slate])
    return slates.take(order), moved.take(np.argsort(moved.slate, kind="stable"))


def assert_same(hours: str | Path, whole: Path) -> None:
    """Both hold the same samples, row for row, the same visits and the same room versions."""
    assert_same_samples(hours, whole)
    assert rows(read_enters(hours)) == rows(read_enters(whole))


def assert_same_samples(hours: str | Path, whole: Path) -> None:
    """Both hold the same samples, row for row, and the same room versions; slates of one millisecond have no order."""
    for one, other in zip(_by_time(read_samples(hours)), _by_time(read_samples(whole)), strict=True):
        for name, values in one.tensors.items():
            assert values.tobytes() == other.tensors[name].tobytes(), name
        for name in set(one.__slots__) - {"tensors"}:
            assert np.array_equal(getattr(one, name), getattr(other, name)), name
    assert rows(read_rooms(hours)) == rows(read_rooms(whole)), "rooms"


def visits_apart(hours: Path, whole: Path) -> int:
    """Of how many of the same visits the time that was watched differs.

    What an hour's last revision does not know of a visit, the join of the whole log does: that it went on for hours, or
    that the viewer came back, which was said late.
    """
    found, expected = rows(read_enters(hours)), rows(read_enters(whole))
    assert [row[:-1] for row in found] == [row[:-1] for row in expected]
    return sum(one[-1] != other[-1] for one, other in zip(found, expected, strict=True))
