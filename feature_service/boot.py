"""Boot: puts a service together from settings, a data folder and model servers, and keeps its tasks running."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from feature_service.assembly import SERVED_FOLDER, assemble, check, running
from feature_service.checkpoints import Checkpoints
from feature_service.clock import NowMs, clock_from, wall_clock
from feature_service.erasures import ERASURES_FILE, Erasures
from feature_service.features.catalog import Catalog, build_catalog
from feature_service.features.duplicates import Duplicates
from feature_service.features.state import State
from feature_service.log.local import LocalLog
from feature_service.log.opening import LOG_FOLDER, claim_log, open_log
from feature_service.log.protocol import EventLog, LogEndedError, LogError
from feature_service.model_servers import ModelServers
from feature_service.observe.observer import Observer
from feature_service.retention import Retention
from feature_service.served.retention import ServedRetention
from feature_service.service import FeatureService
from feature_service.settings import Settings, SettingsError
from feature_service.stores.keeper import StateKeeper
from feature_service.stores.opening import open_store
from feature_service.stores.protocol import Store, StoreError
from feature_service.stores.refill import CHECKPOINT_EVERY, refill
from feature_service.writer import Writer
from serving.client import unwatched
from serving.credentials import PLAIN, Credentials

SWEEP_S = 60.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Parts:
    """What is opened, and has to be closed."""

    service: FeatureService
    event_log: EventLog
    store: Store
    checkpoints: Checkpoints
    retention: Retention


@asynccontextmanager
async def booted(
    settings: Settings,
    data: Path,
    targets: Sequence[str],
    *,
    as_of_log: bool = False,
    now_ms: NowMs | None = None,
    credentials: Credentials = PLAIN,
    observer: Observer | None = None,
    log_ended: Callable[[LogEndedError], None] = lambda _: None,
) -> AsyncGenerator[FeatureService]:
    """A service that runs: state restored, model servers followed, checkpoints taken.

    Args:
        settings: Behaviour.
        data: The folder of log and store; made when missing.
        targets: The model servers, `host:port`.
        as_of_log: Start the clock at the log's end instead of now.
        now_ms: A clock of the caller's own instead.
        credentials: By what the model servers are known, and what they know us by.
        observer: Makes metrics and traces of what happens.
        log_ended: Is told when the log takes no more events: answers go on, but the service should be started again.

    Raises:
        SettingsError: A scene names a channel, filter or re-ranker that does not exist, or the live index cannot be
            approximate as it should.
        LogError: The log is another writer's, corrupt, or cannot be reached.
        StoreError: The store cannot be read.
    """
    check(settings)
    servers = ModelServers(targets, credentials=credentials, watch=observer.watch if observer else unwatched)
    parts = _open(settings, data, servers, observer, as_of_log=as_of_log, now_ms=now_ms)
    service = parts.service
    try:
        async with running(service):
            tasks = [
                asyncio.create_task(parts.checkpoints.keep_taking(settings.checkpoint_s, log_ended)),
                asyncio.create_task(parts.retention.keep()),
                asyncio.create_task(_keep_sweeping(service)),
            ]
            try:
                yield service
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                with suppress(LogError, StoreError):
                    await parts.checkpoints.take()
    finally:
        parts.event_log.close()
        parts.store.close()


def _open(
    settings: Settings,
    data: Path,
    servers: ModelServers,
    observer: Observer | None,
    *,
    as_of_log: bool,
    now_ms: NowMs | None,
) -> _Parts:
    data.mkdir(parents=True, exist_ok=True)
    catalog = build_catalog(settings.service.content_width, settings.attributes)
    state = State(catalog.memories)
    open_again = partial(open_store, settings.store, data, state.dtypes)
    claim_log(settings.log, data)
    store = open_again()
    event_log = open_log(settings.log, data, store.position)
    _catch_up(store, event_log, catalog)
    keeper = StateKeeper(state, store)
    state.position = keeper.restore()
    now_ms = now_ms or _clock(event_log, as_of_log=as_of_log)
    assembly = assemble(settings, data, servers, catalog, state, now_ms, observer)
    erasures = Erasures.open(data / ERASURES_FILE)
    writer = Writer(
        log=event_log,
        state=state,
        live=assembly.live,
        keeper=keeper,
        catalog=catalog,
        duplicates=Duplicates(),
        erasures=erasures,
        lease_ms=round(settings.service.lease_s * 1000),
        content_width=settings.service.content_width,
        room_changed=assembly.rollout.room_changed,
    )
    applied = writer.restore(now_ms())
    log.info("restored at position %d, %d events of them from the log", state.position, applied)
    service = assembly.service(keeper, writer)
    retention = Retention(
        settings.retention,
        event_log if isinstance(event_log, LocalLog) else None,
        data / LOG_FOLDER,
        ServedRetention(data / SERVED_FOLDER, service.served, settings.retention.served_days),
        store,
        erasures,
        now_ms,
    )
    checkpoints = Checkpoints(service, keeper, event_log, store, open_again)
    return _Parts(service, event_log, store, checkpoints, retention)


def _catch_up(store: Store, event_log: EventLog, catalog: Catalog) -> None:
    """Fills a store that is far behind the log by parts: all that has changed would not fit in memory."""
    behind = event_log.position - store.position
    if behind > CHECKPOINT_EVERY:
        log.info("filling the store with %d events from the log", behind)
        events = event_log.read(store.position)
        refill(store, State(catalog.memories), events, event_log.position, lambda done: log.info("%d events", done))


def _clock(event_log: EventLog, *, as_of_log: bool) -> NowMs:
    if not as_of_log:
        return wall_clock
    last_ms = 0
    for _, event in event_log.read(max(event_log.position - 1, 0)):
        last_ms = event.received_ms or event.time_ms
    if not last_ms:
        raise SettingsError("--as-of log: expected a log with at least one event, received an empty one")
    return clock_from(last_ms)


async def _keep_sweeping(service: FeatureService) -> None:
    while True:
        await asyncio.sleep(SWEEP_S)
        for row in service.live.sweep(service.now_ms()):
            service.rollout.room_changed(row)
