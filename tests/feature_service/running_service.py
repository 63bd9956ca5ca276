"""A feature service that runs in the test's own process, with a client of its real gRPC port."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from feature_service import settings
from feature_service.boot import booted
from feature_service.client import FeatureServiceClient
from feature_service.clock import NowMs, wall_clock
from feature_service.replica_boot import booted_replica
from feature_service.server import start_server
from feature_service.service import FeatureService
from feature_service.settings import Settings

PATIENCE_S = 30.0
"""A deadline that a busy machine keeps; tests of deadlines set their own."""

LEAN = """
[overload]
least_in_flight = 1000

[service]
content_width = 2
model_poll_s = 0.05
deadline_ms = 30000
"""


@dataclass(frozen=True, slots=True)
class Running:
    """The service, its address, and a client."""

    service: FeatureService
    target: str
    client: FeatureServiceClient


def lean_settings(more: str = "") -> Settings:
    """The default settings with content vectors of two numbers and much patience; `more` is TOML behind them."""
    return settings.parse(LEAN + more, "the test")


@asynccontextmanager
async def running(
    data: Path,
    targets: Sequence[str] = (),
    *,
    more: str = "",
    change: Callable[[FeatureService], FeatureService] = lambda service: service,
    now_ms: NowMs | None = None,
) -> AsyncGenerator[Running]:
    """Boots a service and serves it on a free port.

    Args:
        data: Its folder.
        targets: Model servers.
        more: Settings, TOML behind the table `[service]`.
        change: Puts other parts into the service, such as broken ones.
        now_ms: The service's clock; None = the machine's.
    """
    async with (
        booted(lean_settings(more), data, targets, now_ms=now_ms) as service,
        served(change(service)) as answering,
    ):
        yield answering


@asynccontextmanager
async def running_replica(
    data: Path, writer: Running, targets: Sequence[str] = (), *, more: str, now_ms: NowMs = wall_clock
) -> AsyncGenerator[Running]:
    """Boots a replica and serves it on a free port.

    Args:
        data: Its own folder.
        writer: The service that it follows, and forwards reports to.
        targets: Model servers.
        more: The writer's settings, for `lean_settings`.
        now_ms: The replica's clock.
    """
    replica = booted_replica(lean_settings(more), data, targets, writer.target, now_ms=now_ms)
    async with replica as service, served(service) as answering:
        yield answering


@asynccontextmanager
async def served(service: FeatureService) -> AsyncGenerator[Running]:
    """Serves what is booted on a free port."""
    server, port = await start_server(service, "127.0.0.1:0")
    try:
        async with FeatureServiceClient(f"127.0.0.1:{port}", PATIENCE_S) as client:
            yield Running(service, f"127.0.0.1:{port}", client)
    finally:
        await server.stop(None)
