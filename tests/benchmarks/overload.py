"""Overload: what comes of requests that arrive at a rate of their own, whatever the service can do (open loop).

The capacity is what a few clients get who each wait for their answer, at full quality. Then requests come at multiples
of it, at random times, each with a deadline. Goodput are answers within it; the ladder's rungs say at which quality.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import grpc.aio
import numpy as np

from feature_service.client import FeatureServiceClient
from feature_service.clock import wall_clock
from feature_service.features.catalog import build_catalog
from protos.onair.v1 import recommendation_pb2 as pb
from tests.benchmarks.load import Ask, alternated
from tests.benchmarks.processes import ServiceProcess, running_reference_models, running_service
from tests.benchmarks.world import CONTENT_WIDTH, Size, viewer_id, write_world

SLATE = 20
_SEED = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured.

    Attributes:
        size: The world.
        clients: How many wait for their answers while the capacity is measured.
        multiples: Rates of the open loop, in capacities.
        seconds: Length of each level.
        deadline_s: Of each request.
    """

    size: Size = field(default_factory=lambda: Size(rooms=5_000))
    clients: int = 4
    multiples: tuple[float, ...] = (0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
    seconds: float = 10.0
    deadline_s: float = 0.5


@dataclass(frozen=True, slots=True)
class Level:
    """What came of one rate.

    Attributes:
        multiple: The rate, in capacities.
        rate: Requests a second.
        goodput: Answers a second within the deadline.
        refused: Share of the requests that were asked to come again.
        late: Share that met its deadline without an answer.
        failed: Share that ended otherwise.
        p99_ms: 99th percentile of the answers' latency.
        rungs: Share of the answers by rung.
    """

    multiple: float
    rate: float
    goodput: float
    refused: float
    late: float
    failed: float
    p99_ms: float
    rungs: dict[str, float]


def measure(plan: Plan, folder: Path, tell: Callable[[str], None]) -> dict[str, Any]:
    """Sets all of it up, measures, and takes it down again."""
    tell(f"writing a world of {plan.size.rooms:,} live rooms")
    write_world(folder / "data", build_catalog(CONTENT_WIDTH), plan.size, wall_clock())
    tell("exporting and serving the reference models")
    with running_reference_models(folder) as models:
        with running_service(folder / "whole", folder / "data", [models.target]) as service:
            capacity = asyncio.run(_capacity(plan, service))
            tell(f"capacity at full quality: {capacity:.0f} answers a second")
        with running_service(folder / "service", folder / "data", [models.target], settings="") as service:
            levels = [asyncio.run(_level(plan, service, multiple, capacity, tell)) for multiple in plan.multiples]
    peak = max(level.goodput for level in levels)
    return {
        "capacity": capacity,
        "deadline_ms": plan.deadline_s * 1000,
        "goodput_ratio": levels[-1].goodput / peak,
        "levels": [asdict(level) for level in levels],
    }


async def _capacity(plan: Plan, service: ServiceProcess) -> float:
    """Answers a second at full quality."""
    async with FeatureServiceClient(service.address, 30.0) as client:
        ask = _asking(client, plan.size)
        for viewer in range(plan.size.viewers):
            await ask(viewer)
        found = await alternated([ask], clients=plan.clients, rounds=3, seconds=plan.seconds / 3)
    return found[0].rate


def _asking(client: FeatureServiceClient, size: Size) -> Ask:
    async def ask(number: int) -> None:
        await client.recommend(viewer_id(number % size.viewers), SLATE)

    return ask


async def _level(
    plan: Plan, service: ServiceProcess, multiple: float, capacity: float, tell: Callable[[str], None]
) -> Level:
    """Sends requests at random times, and waits for what becomes of all of them."""
    rate = multiple * capacity
    tell(f"{multiple:g} × capacity: {rate:.0f} requests a second for {plan.seconds:g} s")
    rng = np.random.default_rng(_SEED)
    ended: Counter[str] = Counter()
    rungs: Counter[str] = Counter()
    latencies_s: list[float] = []

    async def ask(client: FeatureServiceClient, number: int) -> None:
        sent_s = time.perf_counter()
        try:
            answer = await client.recommend(viewer_id(number % plan.size.viewers), SLATE)
        except grpc.aio.AioRpcError as error:
            ended[error.code().name] += 1
            return
        latencies_s.append(time.perf_counter() - sent_s)
        rungs[pb.Rung.Name(answer.rung)] += 1

    async with FeatureServiceClient(service.address, plan.deadline_s) as client, asyncio.TaskGroup() as tasks:
        start_s = time.perf_counter()
        at_s, number = start_s, 0
        while (at_s := at_s + rng.exponential(1 / rate)) < start_s + plan.seconds:
            await asyncio.sleep(max(at_s - time.perf_counter(), 0.0))
            tasks.create_task(ask(client, number))
            number += 1
    refused, late = ended["RESOURCE_EXHAUSTED"] / number, ended["DEADLINE_EXCEEDED"] / number
    answered = len(latencies_s)
    return Level(
        multiple=multiple,
        rate=number / plan.seconds,
        goodput=sum(taken <= plan.deadline_s for taken in latencies_s) / plan.seconds,
        refused=refused,
        late=late,
        failed=ended.total() / number - refused - late,
        p99_ms=float(np.percentile(latencies_s, 99)) * 1000 if latencies_s else float("nan"),
        rungs={name: count / answered for name, count in sorted(rungs.items())},
    )
