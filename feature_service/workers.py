"""Workers: further processes of a service that share its port. They follow its store, and forward reports to it."""

import argparse
import asyncio
import logging
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from feature_service.server import start_server
from feature_service.service import FeatureService

FOLDER = "workers"
"""Of the data folder: what each worker has shown."""

_PAUSE_S = 1.0
_PATIENCE_S = 30.0

_FORWARDED = ("settings", "log_format", "tls_cert", "tls_key", "tls_client_ca", "tls_ca")

log = logging.getLogger(__name__)


@asynccontextmanager
async def working(service: FeatureService, arguments: argparse.Namespace, port: int) -> AsyncGenerator[None]:
    """Keeps `--workers` − 1 further processes running; without any, does nothing.

    They reach the service at a socket that only this user may open, so it asks them for no token.

    Args:
        service: The service, which owns log and store.
        arguments: Of `serve`.
        port: The port that all of them listen on.
    """
    if arguments.workers == 1:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="onair-") as folder:
        address = f"unix:{folder}/writer"
        server, _ = await start_server(service, address)
        commands = [_command(arguments, number, port, address) for number in range(1, arguments.workers)]
        tasks = [asyncio.create_task(_keep_running(command)) for command in commands]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await server.stop(None)


async def end_with_parent(stop: Callable[[], None]) -> None:
    """Stops a worker when its standard input ends, as it does when the process that started it is gone."""
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    await reader.read()
    stop()


async def _keep_running(command: Sequence[str]) -> None:
    """Runs a worker, and again when it ends by itself, until cancelled."""
    while True:
        process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=DEVNULL)
        try:
            status = await process.wait()
        except asyncio.CancelledError:
            await _end(process)
            raise
        log.warning("a worker ended with status %d; another takes its place", status)
        await asyncio.sleep(_PAUSE_S)


async def _end(process: Process) -> None:
    process.terminate()
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def _command(arguments: argparse.Namespace, number: int, port: int, writer: str) -> list[str]:
    """The command line of a worker."""
    data: Path = arguments.data
    host = arguments.address.rpartition(":")[0]
    command = [sys.executable, "-m", "feature_service", "serve", "--worker", "--address", f"{host}:{port}"]
    command += ["--data", str(data / FOLDER / str(number)), "--replica-of", writer, "--follow", str(data)]
    for target in arguments.model_server:
        command += ["--model-server", target]
    for name in _FORWARDED:
        if value := getattr(arguments, name):
            command += [f"--{name.replace('_', '-')}", str(value)]
    if arguments.metrics_address:
        metrics_host, _, metrics_port = arguments.metrics_address.rpartition(":")
        command += ["--metrics-address", f"{metrics_host}:{int(metrics_port) + number}"]
    return command
