r"""Serve RecommendationService over gRPC: slates, explanations, feature tensors and event reports.

The folder of --data holds the durable event log and the store; one process owns it. Without --model-server, or while
no model is ready, answers fall back to what is hot, and say so. Ends cleanly on SIGINT and SIGTERM, and with an error
when its log takes no more events: started again, it goes on from what is in the log.

With --tls-cert and --tls-key it is called by TLS; those files are read again when they change. With --tls-ca it calls
model servers and its writer by TLS.

When the store of --settings is a Redis, replicas answer beside that process: they follow the store, forward reports to
the process that --replica-of names, and have a folder of their own for what they show. On one machine, --workers does
the same with either store: so many processes share the port, and one of them owns log and store.

Examples:
  python -m feature_service serve --data run/service --model-server 127.0.0.1:8500
  python -m feature_service serve --data run/service --model-server 127.0.0.1:8500 --workers 4
  python -m feature_service serve --data run/replica --address 127.0.0.1:8601 --settings redis.toml \
      --replica-of 127.0.0.1:8600 --model-server 127.0.0.1:8500
"""

import argparse
import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

from threadpoolctl import threadpool_limits  # pyright: ignore[reportMissingTypeStubs]

from feature_service.access.interceptor import access_interceptor
from feature_service.access.tls import add_access, outgoing, server_tls
from feature_service.boot import booted
from feature_service.log.opening import LOG_FOLDER
from feature_service.log.protocol import LogEndedError
from feature_service.observe.exposition import exposed
from feature_service.observe.logs import FORMATS, log_to_stderr
from feature_service.observe.observer import Observer, observer_of
from feature_service.reload import rereading
from feature_service.replica_boot import booted_replica
from feature_service.server import start_server
from feature_service.service import FeatureService
from feature_service.settings import Settings, load
from feature_service.workers import end_with_parent, working
from serving.commands.arguments import local_path
from serving.verbs import UserError

SWITCH_S = 1e-4
"""How long a thread waits for another that computes. A checkpoint compresses a thousand records and waits after each:
at 2,000 events a second it takes half as long as with Python's 5 ms, and reports are acknowledged sooner too."""

GRACE_S = 10.0
"""How long requests in flight may take to finish after SIGTERM."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("--address", default="127.0.0.1:8600", help="listen here; port 0 takes a free one")
    parser.add_argument("--data", type=local_path, required=True, help="folder of the event log and the store")
    parser.add_argument("--model-server", action="append", default=[], metavar="HOST:PORT", help="may be repeated")
    parser.add_argument("--settings", type=local_path, help="settings file; what it does not name has its default")
    role = parser.add_mutually_exclusive_group()
    role.add_argument("--as-of", choices=["log"], help="start the clock at the log's end, for imported histories")
    role.add_argument("--replica-of", metavar="HOST:PORT", help="answer beside the service there, from its Redis")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="so many processes; --data has one writer")
    parser.add_argument("--worker", action="store_true", help="be one of them: share the port, end with standard input")
    parser.add_argument("--follow", type=local_path, metavar="DIR", help="a replica's store, if it is a file: in here")
    parser.add_argument("--port-file", type=local_path, help="write the port here once the service is ready")
    parser.add_argument("--metrics-address", default="", metavar="HOST:PORT", help="show Prometheus metrics there")
    parser.add_argument("--log-format", choices=FORMATS, default="text", help="lines for people, or JSON")
    add_access(parser)


def run(arguments: argparse.Namespace) -> int:
    """Serves until a signal comes."""
    log_to_stderr(arguments.log_format)
    sys.setswitchinterval(SWITCH_S)
    # BLAS shares a product between threads, and on a busy machine waits for the others longer than one alone takes.
    with threadpool_limits(1, user_api="blas"):
        asyncio.run(_serve(_settings(arguments), arguments))
    return 0


def _settings(arguments: argparse.Namespace) -> Settings:
    """The settings; where others follow the store, checkpoints come as often as to a Redis."""
    settings = load(arguments.settings)
    if arguments.workers == 1:
        return settings
    if arguments.workers < 1 or arguments.replica_of or arguments.as_of:
        received = f"received {arguments.workers}"
        raise UserError(f"--workers: expected 1 or more, and no --replica-of and --as-of beside them, {received}")
    return replace(settings, service=replace(settings.service, checkpoint_s=settings.store.checkpoint_s))


async def _serve(settings: Settings, arguments: argparse.Namespace) -> None:
    tls = server_tls(arguments, arguments.address.rpartition(":")[0])
    credentials = tls.grpc_credentials() if tls else None
    guard = access_interceptor(settings.access, arguments.data)
    stopped, stop = _end_by_signal()
    if arguments.worker:
        watching = asyncio.create_task(end_with_parent(stop))
        stopped.add_done_callback(lambda _: watching.cancel())
    observer = observer_of(settings.tracing, arguments.metrics_address, forwards=bool(arguments.replica_of))
    guards = [*(observer.interceptors if observer else ()), guard]
    async with (
        _booted(settings, arguments, stop, observer) as service,
        exposed(observer, service, arguments.metrics_address, arguments.data / LOG_FOLDER),
        rereading(arguments.settings, service),
    ):
        gc.collect()
        gc.freeze()  # What was restored stays: no need to look through it again and again in the middle of a request.
        server, port = await start_server(
            service,
            arguments.address,
            credentials=credentials,
            interceptors=guards,
            shared=arguments.worker or arguments.workers > 1,
            first=not arguments.worker,
        )
        logging.getLogger(__name__).info("serving on port %d", port)
        async with working(service, arguments, port):
            if arguments.port_file:
                arguments.port_file.write_text(f"{port}\n")
            try:
                await stopped
            finally:
                await server.stop(GRACE_S, settings.service.drain_s)


def _end_by_signal() -> tuple[asyncio.Future[None], Callable[..., None]]:
    """What is done when the process is to end, and what ends it: signals do, and a log that has ended."""
    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[None] = loop.create_future()

    def stop(error: LogEndedError | None = None) -> None:
        if stopped.done():
            return
        if error:
            stopped.set_exception(error)
        else:
            stopped.set_result(None)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    return stopped, stop


def _booted(
    settings: Settings,
    arguments: argparse.Namespace,
    log_ended: Callable[[LogEndedError], None],
    observer: Observer | None,
) -> AbstractAsyncContextManager[FeatureService]:
    credentials = outgoing(arguments)
    if arguments.token_file and not arguments.replica_of:
        raise UserError("--token-file: expected --replica-of beside it, whom the token is for, received none")
    if arguments.replica_of:
        writer = arguments.replica_of
        return booted_replica(
            settings,
            arguments.data,
            arguments.model_server,
            writer,
            follow=arguments.follow,
            credentials=credentials,
            observer=observer,
        )
    return booted(
        settings,
        arguments.data,
        arguments.model_server,
        as_of_log=arguments.as_of == "log",
        credentials=credentials,
        observer=observer,
        log_ended=log_ended,
    )
