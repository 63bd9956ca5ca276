"""Stores: bytes of users and live rooms, and how long reads and checkpoints take, in a file and in a Redis.

Both hold the same records. The Redis is a real redis-server on loopback that writes nothing to a disk.
"""

import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from feature_service.clock import wall_clock
from feature_service.features.catalog import build_catalog
from feature_service.features.schema import key_of
from feature_service.features.state import State
from feature_service.stores.opening import STORE_FILE
from feature_service.stores.protocol import Changes, Live, Store, StoredUser
from feature_service.stores.redis import RedisStore
from feature_service.stores.sqlite import SqliteStore
from tests.benchmarks.world import CONTENT_WIDTH, Size, write_world
from tests.feature_service.redis_process import RedisProcess

_CHUNK = 10_000


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is stored and measured.

    Attributes:
        size: The world; `known_users` counts the viewers too.
        reads: Users that are loaded, one by one.
        changed: Users of a checkpoint.
        rounds: Checkpoints, and loads of all rooms, of each store in turn.
    """

    size: Size = field(default_factory=lambda: Size(known_users=50_500))
    reads: int = 5_000
    changed: int = 10_000
    rounds: int = 5


@dataclass(frozen=True, slots=True)
class _Measured:
    """A store, a way to open it again, and the bytes that it takes now."""

    name: str
    opened: Callable[[], Store]
    taken_bytes: Callable[[], int]


def measure(plan: Plan, folder: Path, tell: Callable[[str], None]) -> list[dict[str, Any]]:
    """Copies a world into each store, and measures both in turn; only the file where there is no redis-server."""
    tell(f"writing {plan.size.rooms:,} live rooms and {plan.size.known_users:,} known users")
    catalog = build_catalog(CONTENT_WIDTH)
    state = write_world(folder / "world", catalog, plan.size, wall_clock())
    world = SqliteStore.open(folder / "world" / STORE_FILE, state.dtypes)
    (folder / "file").mkdir()
    path = folder / "file" / STORE_FILE
    stores = [_Measured("SQLite", lambda: SqliteStore.open(path, state.dtypes), lambda: path.stat().st_size)]
    try:
        if shutil.which("redis-server") is None:
            return _measured(plan, world, state, stores, tell)
        with RedisProcess(folder / "redis") as server:
            stores.append(
                _Measured(
                    "Redis",
                    lambda: RedisStore.open(server.address, state.dtypes, prefix="onair", log_id="benchmark"),
                    lambda: _used_memory(server),
                )
            )
            return _measured(plan, world, state, stores, tell)
    finally:
        world.close()


def _measured(
    plan: Plan, world: Store, state: State, stores: list[_Measured], tell: Callable[[str], None]
) -> list[dict[str, Any]]:
    tell("copying them into each store")
    live = world.load_live()
    keys = [key_of("user", f"user-{number}") for number in range(plan.size.viewers, plan.size.known_users)]
    found = [{"store": each.name, **_sizes(each, world, live, keys, state.position)} for each in stores]
    tell("measuring reads and checkpoints")
    opened = [each.opened() for each in stores]
    asked = np.random.default_rng(1).choice(np.array(keys), plan.reads).tolist()
    changed = _users(world, keys[: plan.changed])
    try:
        for numbers, store in zip(found, opened, strict=True):
            taken_us = [1e6 * _seconds(lambda key=key, store=store: store.load_user(key)) for key in asked]
            numbers["user_us"], numbers["user_p99_us"] = median(taken_us), float(np.percentile(taken_us, 99))
        rooms_s, checkpoint_s = ([list[float]() for _ in opened] for _ in range(2))
        for number in range(1, plan.rounds + 1):
            changes = Changes(position=state.position + number, rooms={}, streamers={}, users=changed)
            for place, store in enumerate(opened):
                rooms_s[place].append(_seconds(store.load_live))
                checkpoint_s[place].append(_seconds(lambda store=store, changes=changes: store.checkpoint(changes)))
        for place, numbers in enumerate(found):
            numbers["rooms_ms"] = 1e3 * median(rooms_s[place])
            numbers |= {"changed": len(changed), "checkpoint_ms": 1e3 * median(checkpoint_s[place])}
    finally:
        for store in opened:
            store.close()
    return found


def _sizes(measured: _Measured, world: Store, live: Live, keys: list[int], position: int) -> dict[str, float]:
    """Copies rooms, then streamers, then users; the bytes that each takes on average."""
    steps: dict[str, tuple[int, Iterable[Mapping[str, Any]]]] = {
        "room_bytes": (len(live.rooms), [{"rooms": live.rooms}]),
        "streamer_bytes": (len(live.streamers), [{"streamers": live.streamers}]),
        "user_bytes": (len(keys), ({"users": users} for users in _by_parts(world, keys))),
    }
    measured.opened().close()
    sizes: dict[str, float] = {}
    for name, (count, parts) in steps.items():
        before = measured.taken_bytes()
        store = measured.opened()
        for part in parts:
            store.checkpoint(
                Changes(**({"position": position, "rooms": {}, "streamers": {}, "users": {}} | dict(part)))
            )
        store.close()
        sizes[name] = (measured.taken_bytes() - before) / max(count, 1)
    return sizes


def _by_parts(world: Store, keys: list[int]) -> Iterator[dict[int, StoredUser]]:
    each = iter(keys)
    while chunk := list(islice(each, _CHUNK)):
        yield _users(world, chunk)


def _users(world: Store, keys: Iterable[int]) -> dict[int, StoredUser]:
    return {key: user for key in keys if (user := world.load_user(key)) is not None}


def _used_memory(server: RedisProcess) -> int:
    lines = server.command("INFO", "memory").decode().splitlines()
    return next(int(line.partition(":")[2]) for line in lines if line.startswith("used_memory:"))


def _seconds(work: Callable[[], object]) -> float:
    started_s = time.perf_counter()
    work()
    return time.perf_counter() - started_s
