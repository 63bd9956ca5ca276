"""Visible: how soon what a viewer does is in the answers, while thousands of events a second come in.

A few viewers follow and unfollow a streamer in turn; the time runs from the report until an answer of each process that
answers has the streamer's room among the followed ones, or no longer. First of one process with its file, then of two
replicas that follow a Redis, to which all events are reported and which forward them. Answers come without a ranker.
"""

import asyncio
import itertools
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from feature_service.client import FeatureServiceClient
from feature_service.clock import wall_clock
from feature_service.features.events import Event, EventKind
from tests.benchmarks.processes import SETTINGS, ServiceProcess, running_service
from tests.benchmarks.world import CATEGORIES
from tests.feature_service.redis_process import RedisProcess, made

BATCH = 50
SLATE = 20
PAUSE_S = 0.05
"""Between two looks at the answers."""

PATIENCE_S = 30.0
REPLICAS = 2
KINDS = (EventKind.IMPRESSION, EventKind.ENTER, EventKind.LIKE, EventKind.COMMENT, EventKind.LEAVE)
_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured.

    Attributes:
        rooms: Rooms on air.
        viewers: Viewers of whom the events are.
        rate: Events a second.
        probes: Viewers whose events are looked for.
        seconds: How long.
    """

    rooms: int = 1_000
    viewers: int = 2_000
    rate: int = 2_000
    probes: int = 1
    seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class _Services:
    """A writer and who answers beside it; without replicas, the writer answers."""

    store: str
    writer: ServiceProcess
    replicas: Sequence[ServiceProcess] = ()

    @property
    def answering(self) -> Sequence[ServiceProcess]:
        """Who is asked and reported to."""
        return self.replicas or [self.writer]

    def cpu_s(self) -> tuple[float, float]:
        """CPU time of the writer, and of all replicas, seconds."""
        return self.writer.cpu_s(), sum(each.cpu_s() for each in self.replicas)


def measure(plan: Plan, folder: Path, tell: Callable[[str], None]) -> dict[str, Any]:
    """Measures one process with its file, then a writer with replicas where there is a redis-server."""
    tell("one process, its store a file")
    with running_service(folder / "file", folder / "file" / "data", settings=SETTINGS) as writer:
        found = [asyncio.run(_measure(plan, _Services("SQLite", writer)))]
    if shutil.which("redis-server") is not None:
        tell(f"{REPLICAS} replicas, the store a Redis")
        with ExitStack() as stack:
            found.append(asyncio.run(_measure(plan, _replicated(folder, stack))))
    return {"rooms": plan.rooms, "viewers": plan.viewers, "rate": plan.rate, "stores": found}


def _replicated(folder: Path, stack: ExitStack) -> _Services:
    server = stack.enter_context(RedisProcess(folder / "redis"))
    settings = f'{SETTINGS}[store]\naddress = "{server.address}"\n'

    def started(name: str, *arguments: str) -> ServiceProcess:
        data = folder / name / "data"
        return stack.enter_context(running_service(folder / name, data, settings=settings, arguments=arguments))

    writer = started("writer")
    asyncio.run(made(server))
    names = [f"replica-{number}" for number in range(REPLICAS)]
    return _Services("Redis", writer, [started(name, "--replica-of", writer.address) for name in names])


async def _measure(plan: Plan, services: _Services) -> dict[str, Any]:
    async with AsyncExitStack() as stack:
        addresses = [each.address for each in services.answering]
        clients = [await stack.enter_async_context(FeatureServiceClient(each, PATIENCE_S)) for each in addresses]
        everyone = FeatureServiceClient(f"ipv4:{','.join(addresses)}", PATIENCE_S)
        await stack.enter_async_context(everyone)
        await _fill(plan, everyone)
        before_s, began_s = services.cpu_s(), time.perf_counter()
        end_s = began_s + plan.seconds
        probes = (_probe(number, everyone, clients, end_s) for number in range(plan.probes))
        load = asyncio.create_task(_load(plan, everyone, end_s))
        taken = await asyncio.gather(*probes)
        events = await load
        lasted_s = time.perf_counter() - began_s
        writer, replicas = np.subtract(services.cpu_s(), before_s) / lasted_s
        taken_ms = 1e3 * np.concatenate(taken)
        return {
            "store": services.store,
            "answering": len(addresses),
            "events_per_s": events / lasted_s,
            "changes": len(taken_ms),
            "p50_ms": float(np.percentile(taken_ms, 50)),
            "p99_ms": float(np.percentile(taken_ms, 99)),
            "most_ms": float(taken_ms.max()),
            "writer_cores": float(writer),
            "replicas_cores": float(replicas),
        }


async def _fill(plan: Plan, client: FeatureServiceClient) -> None:
    """Rooms go on air, and each viewer enters one, so that nobody is new to the services any more."""
    now_ms = wall_clock()
    starts = [
        Event(f"start {room}", EventKind.ROOM_STARTED, now_ms, lease_ms=_HOUR_MS, **_at(room))
        for room in range(plan.rooms)
    ]
    entries = [
        Event(f"enter {viewer}", EventKind.ENTER, now_ms, user_id=f"viewer-{viewer}", **_at(viewer % plan.rooms))
        for viewer in range(plan.viewers)
    ]
    for events in (starts, entries):
        for first in range(0, len(events), BATCH):
            await client.report(events[first : first + BATCH])


async def _load(plan: Plan, client: FeatureServiceClient, end_s: float) -> int:
    """Reports at the rate, whether answers come or not; returns how many events were acknowledged."""
    visits, next_s, sent = _visits(plan), time.perf_counter(), list[asyncio.Task[list[Any]]]()
    while next_s < end_s:
        sent.append(asyncio.create_task(client.report(list(itertools.islice(visits, BATCH)))))
        next_s += BATCH / plan.rate
        await asyncio.sleep(max(next_s - time.perf_counter(), 0))
    return sum(map(len, await asyncio.gather(*sent)))


def _visits(plan: Plan) -> Iterator[Event]:
    """The viewers' events in turn: each visits a room for one event of each kind, then another room."""
    generator = np.random.default_rng(7)
    for turn in itertools.count():
        place = turn % len(KINDS)
        if place == 0:  # Some rooms draw more than others.
            rooms: list[int] = (plan.rooms * generator.random(plan.viewers) ** 2).astype(int).tolist()
        for viewer, room in enumerate(rooms):
            watch_ms = 60_000 if KINDS[place] is EventKind.LEAVE else 0
            who: dict[str, Any] = {"user_id": f"viewer-{viewer}", "watch_ms": watch_ms}
            yield Event(f"{turn}/{viewer}", KINDS[place], wall_clock(), **who, **_at(room))


def _at(room: int) -> dict[str, Any]:
    streamer, category = f"streamer-{room}", f"category-{room % CATEGORIES}"
    return {"room_id": f"{streamer}/1", "streamer_id": streamer, "category": category}


async def _probe(
    number: int, everyone: FeatureServiceClient, clients: Sequence[FeatureServiceClient], end_s: float
) -> list[float]:
    """How long each change of one viewer's takes until an answer of each process shows it, seconds."""
    taken_s: list[float] = []
    for turn in itertools.count():
        if (sent_s := time.perf_counter()) > end_s:
            return taken_s
        follows, user, streamer = turn % 2 == 0, f"probe-{number}", f"streamer-{number}"
        kind = EventKind.FOLLOW if follows else EventKind.UNFOLLOW
        await everyone.report([Event(f"{user} {turn}", kind, wall_clock(), user_id=user, **_at(number))])
        looks = (_look(client, user, streamer, follows=follows) for client in clients)
        taken_s += [seen_s - sent_s for seen_s in await asyncio.gather(*looks)]
    raise AssertionError


async def _look(client: FeatureServiceClient, user: str, streamer: str, *, follows: bool) -> float:
    """When an answer first showed whether a user follows a streamer."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            answer = await client.recommend(user, SLATE)
            if follows == any(room.streamer_id == streamer and "followed" in room.channels for room in answer.rooms):
                return time.perf_counter()
            await asyncio.sleep(PAUSE_S)
