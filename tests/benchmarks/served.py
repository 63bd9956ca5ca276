"""What the served log costs: Recommend of a service that logs every slate beside one that logs none, in turns.

Both have the same world and the same model server. Latencies are those of the caller; the service's CPU time is that of
all its threads, the log's writer among them.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from feature_service.boot import SERVED_FOLDER
from feature_service.client import FeatureServiceClient
from feature_service.clock import wall_clock
from feature_service.features.catalog import build_catalog
from feature_service.log.reader import read_records
from feature_service.served.slate import SLATES
from tests.benchmarks.load import Ask, Latency, alternated
from tests.benchmarks.processes import SETTINGS, ServiceProcess, running_reference_models, running_service
from tests.benchmarks.world import CONTENT_WIDTH, Size, viewer_id, write_world

SLATE = 20
PATIENCE_S = 30.0
SHARES = (0, 1)
"""Of the requests that each of the two services logs."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured.

    Attributes:
        size: The world.
        clients: Numbers of clients.
        rounds: Turns of each service.
        seconds: Length of a turn.
    """

    size: Size = field(default_factory=lambda: Size(rooms=5_000))
    clients: tuple[int, ...] = (1, 8)
    rounds: int = 20
    seconds: float = 1.0


@dataclass(slots=True)
class _Asked:
    """A service, and how many of its answers have come."""

    service: ServiceProcess
    client: FeatureServiceClient
    answers: int = 0

    def recommend(self, size: Size) -> Ask:
        """Asks for a viewer's slate."""

        async def ask(number: int) -> None:
            answer = await self.client.recommend(viewer_id(number % size.viewers), SLATE)
            if answer.degraded or len(answer.rooms) != SLATE:
                raise RuntimeError(f"expected {SLATE} rooms and nothing degraded, received {answer}")
            self.answers += 1

        return ask


def measure(plan: Plan, folder: Path, tell: Callable[[str], None]) -> dict[str, Any]:
    """Sets both services up, measures, and takes them down again."""
    tell(f"writing a world of {plan.size.rooms:,} live rooms, twice")
    data = [folder / f"data-{share}" for share in SHARES]
    for each in data:
        write_world(each, build_catalog(CONTENT_WIDTH), plan.size, wall_clock())
    settings = [f"{SETTINGS}\n[served]\nshare = {share}\n" for share in SHARES]
    tell("exporting and serving the reference models")
    with running_reference_models(folder) as models:
        tell("starting both services")
        with (
            running_service(folder / "without", data[0], [models.target], settings[0]) as without,
            running_service(folder / "with", data[1], [models.target], settings[1]) as logging,
        ):
            found = asyncio.run(_measure(plan, [without, logging], tell))
    log = data[1] / SERVED_FOLDER
    logged = sum(1 for _ in read_records(log, 0, SLATES))
    size = sum(path.stat().st_size for path in log.glob("*.log"))
    return {**found, "slate": SLATE, "logged": logged, "bytes_a_slate": size / logged}


async def _measure(plan: Plan, services: Sequence[ServiceProcess], tell: Callable[[str], None]) -> dict[str, Any]:
    async with (
        FeatureServiceClient(services[0].address, PATIENCE_S) as first,
        FeatureServiceClient(services[1].address, PATIENCE_S) as second,
    ):
        asked = [_Asked(service, client) for service, client in zip(services, (first, second), strict=True)]
        asks = [each.recommend(plan.size) for each in asked]
        for ask in asks:
            for number in range(plan.size.viewers):
                await ask(number)
        before = [(each.service.cpu_s(), each.answers) for each in asked]
        levels: list[dict[str, Any]] = []
        for clients in plan.clients:
            tell(f"{clients} clients: without the log, and with it")
            levels.append(_level(*await alternated(asks, clients=clients, rounds=plan.rounds, seconds=plan.seconds)))
        cpu_ms = [
            (each.service.cpu_s() - cpu_s) * 1000 / (each.answers - answers)
            for each, (cpu_s, answers) in zip(asked, before, strict=True)
        ]
        return {"levels": levels, "cpu_ms": cpu_ms, "answers": asked[1].answers, "rooms": plan.size.rooms}


def _level(without: Latency, logging: Latency) -> dict[str, Any]:
    return {
        "without": asdict(without),
        "with": asdict(logging),
        "added_p50_ms": logging.p50_ms - without.p50_ms,
        "added_p99_ms": logging.p99_ms - without.p99_ms,
    }
