"""The samples of a worker beside those of the join of the whole log."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from tests.training.streaming.service_logs import CATALOG, ServiceLogs
from training.data.join import EnterColumns
from training.data.samples import RoomVersions
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


def assert_same(hours: Path, whole: Path) -> None:
    """Both hold the same samples, row for row, the same visits and the same room versions."""
    found, expected = read_samples(hours), read_samples(whole)
    for side in ("slates", "candidates"):
        one, other = getattr(found, side), getattr(expected, side)
        for name, values in one.tensors.items():
            assert values.tobytes() == other.tensors[name].tobytes(), name
        for name in set(one.__slots__) - {"tensors"}:
            assert np.array_equal(getattr(one, name), getattr(other, name)), name
    assert rows(read_enters(hours)) == rows(read_enters(whole))
    assert rows(read_rooms(hours)) == rows(read_rooms(whole))
