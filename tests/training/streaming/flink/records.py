"""The records that a Flink job tells, beside those of a service that has seen the same events."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from feature_service.features.catalog import Catalog
from training.data.service_log import FollowedState, read_events
from training.streaming.flink.parts import arrays_of_line

Tables = dict[str, dict[Any, bytes]]
"""Records by table and key; those of pairs by user and streamer."""


def told(lines: Iterable[str]) -> Tables:
    """The newest records of lines, which may be in any order."""
    found: Tables = {name: {} for name in ("users", "pairs", "rooms", "streamers")}
    for line in sorted(lines, key=lambda line: int(line.partition(" ")[0])):
        arrays = arrays_of_line(line)
        for name in {*found} & {*arrays}:
            keys = arrays[name]["key"].tolist()
            if name == "pairs":
                keys = zip(arrays["pair_users"].tolist(), keys, strict=True)
            found[name].update(zip(keys, (record.tobytes() for record in arrays[name]), strict=True))
    return found


def assert_service_has(found: Tables, log: Path, catalog: Catalog, *, but: str) -> None:
    """Rooms and streamers, viewers and pairs are as in a service after all its events but one.

    A service forgets rooms that are long off air, a job when its shard comes to it: those it has are compared.
    """
    service = FollowedState(catalog)
    for _, event in read_events(log):
        if event.event_id != but:
            service.apply(event)
    state = service.state
    assert found["users"] == {record["key"]: record.tobytes() for record in state.users.all()}
    assert found["streamers"] == {record["key"]: record.tobytes() for record in state.streamers.all()}
    pairs = {(user, record["key"]): record.tobytes() for user, held in state.pairs.items() for record in held.all()}
    assert found["pairs"] == pairs
    rooms = {record["key"]: record.tobytes() for record in state.rooms.all()}
    assert rooms
    assert {key: found["rooms"][key] for key in rooms} == rooms
