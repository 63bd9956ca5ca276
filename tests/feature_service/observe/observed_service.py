"""A feature service that an observer watches, in the test's own process, behind a real gRPC port."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc.aio

from feature_service.boot import booted
from feature_service.client import FeatureServiceClient
from feature_service.clock import NowMs, wall_clock
from feature_service.features.events import Event, EventKind
from feature_service.observe.observer import Observer
from feature_service.server import start_server
from feature_service.service import FeatureService
from tests.feature_service.running_service import PATIENCE_S, lean_settings


@dataclass(frozen=True, slots=True)
class Observed:
    """The service, its observer, its address and a client."""

    service: FeatureService
    observer: Observer
    target: str
    client: FeatureServiceClient

    def value(self, name: str, **labels: str) -> float:
        """A sample of a metric; one that is not there is 0."""
        return self.observer.metrics.registry.get_sample_value(name, labels) or 0.0


@asynccontextmanager
async def observed(
    data: Path,
    targets: Sequence[str] = (),
    *,
    more: str = "",
    forwards: bool = False,
    change: Callable[[FeatureService], FeatureService] = lambda service: service,
    now_ms: NowMs = wall_clock,
    guards: Sequence[grpc.aio.ServerInterceptor] = (),
) -> AsyncGenerator[Observed]:
    """Boots a service and serves it on a free port.

    Args:
        data: Its folder.
        targets: Model servers.
        more: Settings, TOML behind the table `[service]`.
        forwards: Whether the observer believes that reports are only forwarded.
        change: Puts other parts into the service.
        now_ms: The service's clock.
        guards: Interceptors behind the observer's.
    """
    settings = lean_settings(more)
    observer = Observer(settings.tracing, forwards=forwards)
    async with booted(settings, data, targets, now_ms=now_ms, observer=observer) as booted_service:
        service = change(booted_service)
        server, port = await start_server(service, "127.0.0.1:0", interceptors=[*observer.interceptors, *guards])
        try:
            async with FeatureServiceClient(f"127.0.0.1:{port}", PATIENCE_S) as client:
                yield Observed(service, observer, f"127.0.0.1:{port}", client)
        finally:
            await server.stop(None)
            await asyncio.to_thread(observer.close)


def event(event_id: str, kind: EventKind = EventKind.ROOM_STARTED, time_ms: int = 0, **fields: Any) -> Event:
    """An event of the room `anna/1`, now unless told otherwise."""
    given: dict[str, Any] = {"room_id": "anna/1", "streamer_id": "anna"} | fields
    return Event(event_id, kind, time_ms or wall_clock(), **given)
