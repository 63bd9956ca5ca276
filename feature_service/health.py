"""Health and the end: what probes and balancers are told, and how a server goes without losing a request."""

import asyncio
import time
from collections.abc import Callable

import grpc.aio
from grpc_health.v1 import health_pb2
from grpc_health.v1.health import aio as health_aio

WHOLE = ""
"""The name of the process as a whole: it lives."""

LOOK_S = 0.1

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class Server:
    """A gRPC server that tells its health, and ends gracefully."""

    def __init__(self, server: grpc.aio.Server, health: health_aio.HealthServicer, name: str) -> None:
        """Takes a server that is not started.

        Args:
            server: The server, which has `health` among its services.
            health: Answers grpc.health.v1.
            name: The service whose health says whether the process should be asked.
        """
        self._server = server
        self._health = health
        self._name = name
        self._waiting: asyncio.Task[None] | None = None

    async def start(self, ready: Callable[[], bool], patience_s: float) -> None:
        """Opens the port; who asks is answered from now on.

        Args:
            ready: Whether the service should be asked by now.
            patience_s: After so long it should be asked in any case: an answer without models is better than none.
        """
        await self._server.start()
        await self._health.set(WHOLE, _SERVING)
        await self._health.set(self._name, _NOT_SERVING)
        if ready():
            await self._health.set(self._name, _SERVING)
        else:
            self._waiting = asyncio.create_task(self._wait_until(ready, time.monotonic() + patience_s))

    async def stop(self, grace_s: float | None, drain_s: float = 0.0) -> None:
        """Ends: says so, answers on for `drain_s`, then takes nothing new and lets what runs finish.

        Args:
            grace_s: How long that may take; None = no time at all.
            drain_s: How long balancers may take to hear of it.
        """
        if self._waiting:
            self._waiting.cancel()
        await self._health.enter_graceful_shutdown()
        await asyncio.sleep(drain_s)
        await self._server.stop(grace_s)

    async def _wait_until(self, ready: Callable[[], bool], until_s: float) -> None:
        while not ready() and time.monotonic() < until_s:  # noqa: ASYNC110 - model servers tell nobody, they are polled
            await asyncio.sleep(LOOK_S)
        await self._health.set(self._name, _SERVING)
