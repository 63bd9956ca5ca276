"""Logs: events that a service acknowledges with its own log and with one in a Kafka topic, in turns.

Both are on this machine's disk. The topic has one copy, so an event is acknowledged once the one broker has it, which
leaves writing it out to the kernel; the local log waits for the disk.
"""

import asyncio
import itertools
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from feature_service.client import FeatureServiceClient
from feature_service.clock import wall_clock
from feature_service.features.events import Event, EventKind
from tests.benchmarks.load import Ask, alternated
from tests.benchmarks.processes import SETTINGS, ServiceProcess, running_service
from tests.clusters.kafka_broker import KafkaBroker
from tests.clusters.processes import INSTALLED

BATCH = 50
PATIENCE_S = 30.0
ROOMS, VIEWERS = 500, 2_000
KINDS = (EventKind.IMPRESSION, EventKind.ENTER, EventKind.LIKE, EventKind.COMMENT, EventKind.LEAVE)


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured.

    Attributes:
        clients: Who report at once; each reports again as soon as its batch is acknowledged.
        rounds: Turns of each log.
        seconds: Length of a turn.
    """

    clients: Sequence[int] = (1, 8)
    rounds: int = 3
    seconds: float = 4.0


def measure(plan: Plan, folder: Path, tell: Callable[[str], None]) -> list[dict[str, Any]]:
    """Measures both logs; only the local one where `make clusters` has not fetched a broker."""
    with ExitStack() as stack:
        services = {"local": stack.enter_context(running_service(folder / "local", folder / "local" / "data"))}
        if (INSTALLED / "kafka").is_dir():
            tell("starting a Kafka broker")
            address = stack.enter_context(KafkaBroker(folder / "kafka")).topic()
            settings = f'{SETTINGS}[log]\naddress = "{address}"\n'
            data = folder / "beside-kafka" / "data"
            services["Kafka"] = stack.enter_context(running_service(data.parent, data, settings=settings))
        tell(f"reporting to {' and '.join(services)}")
        return asyncio.run(_measure(plan, services))


async def _measure(plan: Plan, services: dict[str, ServiceProcess]) -> list[dict[str, Any]]:
    async with AsyncExitStack() as stack:
        asks = [
            _reporting(await stack.enter_async_context(FeatureServiceClient(each.address, PATIENCE_S)))
            for each in services.values()
        ]
        found: list[dict[str, Any]] = []
        for clients in plan.clients:
            taken = await alternated(asks, clients=clients, rounds=plan.rounds, seconds=plan.seconds)
            for name, each in zip(services, taken, strict=True):
                found.append({"log": name, **asdict(each), "events_per_s": BATCH * each.rate})
        return found


def _reporting(client: FeatureServiceClient) -> Ask:
    """Reports one batch, each time of other events."""
    numbers = itertools.count()

    async def report(_: int) -> None:
        await client.report([_event(number) for number in itertools.islice(numbers, BATCH)])

    return report


def _event(number: int) -> Event:
    room = number % ROOMS
    return Event(
        f"e{number}",
        KINDS[number % len(KINDS)],
        wall_clock(),
        user_id=f"viewer-{number % VIEWERS}",
        room_id=f"room-{room}",
        streamer_id=f"streamer-{room}",
    )
