"""The records that a Flink job tells, beside those of a service that has seen the same events."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_service.features.catalog import Catalog
from feature_service.features.records import migrate
from training.data.service_log import FollowedState, read_events
from training.streaming.flink.parts import arrays_of_line

Tables = dict[str, dict[Any, NDArray[np.void]]]
"""Records by table and key, [1] each; those of pairs by user and streamer."""


def told(lines: Iterable[str]) -> Tables:
    """The newest records of lines, which may be in any order."""
    found: Tables = {name: {} for name in ("users", "pairs", "rooms", "streamers")}
    for line in sorted(lines, key=lambda line: int(line.partition(" ")[0])):
        arrays = arrays_of_line(line)
        for name in {*found} & {*arrays}:
            keys = arrays[name]["key"].tolist()
            owned = zip(arrays["pair_users"].tolist(), keys, strict=True) if name == "pairs" else keys
            records = (arrays[name][place : place + 1] for place in range(len(keys)))
            found[name].update(zip(owned, records, strict=True))
    return found


def assert_service_has(found: Tables, log: Path, catalog: Catalog, *, but: str) -> None:
    """All records are as in a service after all its events but one; of rooms, those that it has not forgotten."""
    service = FollowedState(catalog)
    for _, event in read_events(log):
        if event.event_id != but:
            service.apply(event)
    state = service.state
    assert len(state.rooms)
    kept = {**found, "rooms": {key: record for key, record in found["rooms"].items() if key in state.rooms}}
    expected = {
        "users": {key: state.users.select([key]) for key in state.users},
        "rooms": {key: state.rooms.select([key]) for key in state.rooms},
        "streamers": {key: state.streamers.select([key]) for key in state.streamers},
        "pairs": {(user, key): held.select([key]) for user, held in state.pairs.items() for key in held},
    }
    for name, records in expected.items():
        assert records.keys() == kept[name].keys(), name
        for key, record in records.items():
            assert _same(kept[name][key], record), (name, key)


def _same(told: NDArray[np.void], held: NDArray[np.void]) -> bool:
    """Whether records, [1] each, are the same under the layout of the second."""
    return migrate(told, held.dtype).tobytes() == held.tobytes()
