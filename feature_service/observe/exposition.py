"""Exposition: the endpoint that Prometheus reads, and the task that keeps its gauges fresh."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from prometheus_client import CollectorRegistry, start_http_server

from feature_service.observe.observer import Observer
from feature_service.observe.sampling import Sampler
from feature_service.service import FeatureService

log = logging.getLogger(__name__)


class MetricsAddressError(ValueError):
    """The address of the metrics cannot be listened on."""


@asynccontextmanager
async def exposed(
    observer: Observer | None, service: FeatureService, address: str, log_folder: Path
) -> AsyncGenerator[None]:
    """Has Prometheus read what an observer knows, at `http://ADDRESS/metrics`.

    Args:
        observer: The service's observer, which is closed at the end; None = it has none.
        service: The service.
        address: `host:port`; empty = nobody reads.
        log_folder: Where its event log is, if it is in a folder.

    Raises:
        MetricsAddressError: The address is none, or is in use.
    """
    if observer is None:
        yield
        return
    try:
        async with _read_at(address, Sampler(service, observer.metrics, log_folder), observer.metrics.registry):
            yield
    finally:
        await asyncio.to_thread(observer.close)


@asynccontextmanager
async def _read_at(address: str, sampler: Sampler, registry: CollectorRegistry) -> AsyncGenerator[None]:
    if not address:
        yield
        return
    sampler.sample()
    with _endpoint(address, registry):
        task = asyncio.create_task(sampler.keep_sampling())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@contextmanager
def _endpoint(address: str, registry: CollectorRegistry) -> Generator[None]:
    """An HTTP server on threads of its own."""
    host, _, port = address.rpartition(":")
    try:
        server, thread = start_http_server(int(port), host.strip("[]"), registry)
    except (OSError, ValueError, OverflowError) as error:
        raise MetricsAddressError(f"{address}: expected host:port to show metrics on, received: {error}") from None
    log.info("metrics on port %d", server.server_port)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
