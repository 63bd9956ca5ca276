"""Two services with the same world and the same models, one of which does more: Recommend of both, in turns.

Latencies are those of the caller; a service's CPU time is that of all its threads.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from feature_service.client import FeatureServiceClient
from tests.benchmarks.load import Ask, Latency, alternated
from tests.benchmarks.processes import ServiceProcess
from tests.benchmarks.world import Size, viewer_id

SLATE = 20
PATIENCE_S = 30.0


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


async def measure_both(
    plan: Plan, services: Sequence[ServiceProcess], tell: Callable[[str], None], what: str
) -> dict[str, Any]:
    """Measures the service without something beside the one with it; `what` names it."""
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
            tell(f"{clients} clients: without {what}, and with it")
            levels.append(_level(*await alternated(asks, clients=clients, rounds=plan.rounds, seconds=plan.seconds)))
        cpu_ms = [
            (each.service.cpu_s() - cpu_s) * 1000 / (each.answers - answers)
            for each, (cpu_s, answers) in zip(asked, before, strict=True)
        ]
        return {"levels": levels, "cpu_ms": cpu_ms, "answers": asked[1].answers, "rooms": plan.size.rooms}


def _level(without: Latency, with_it: Latency) -> dict[str, Any]:
    return {
        "without": asdict(without),
        "with": asdict(with_it),
        "added_p50_ms": with_it.p50_ms - without.p50_ms,
        "added_p99_ms": with_it.p99_ms - without.p99_ms,
    }
