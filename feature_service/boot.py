"""Boot: puts a service together from settings, a data folder and model servers, and keeps its tasks running."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from feature_service.checkpoints import Checkpoints
from feature_service.clock import NowMs, clock_from, wall_clock
from feature_service.erasures import Erasures
from feature_service.features.catalog import Catalog, build_catalog
from feature_service.features.duplicates import Duplicates
from feature_service.features.state import State
from feature_service.filters import FILTERS
from feature_service.live.approximate import Approximation, load_faiss
from feature_service.live.table import LiveTable
from feature_service.log.local import LocalLog
from feature_service.models import ModelServers
from feature_service.pipeline import Pipeline
from feature_service.recall import CHANNELS
from feature_service.recall.asking import Asking
from feature_service.rerank import RERANKERS
from feature_service.retention import Retention
from feature_service.rollout import Rollout
from feature_service.served.log import ServedLog
from feature_service.service import FeatureService
from feature_service.settings import Service, Settings, SettingsError
from feature_service.stages import Channel, Scorer, Served
from feature_service.stores.keeper import StateKeeper
from feature_service.stores.opening import open_store
from feature_service.stores.protocol import Store, StoreError
from feature_service.stores.refill import CHECKPOINT_EVERY, refill
from feature_service.writer import Writer
from serving import contract

LOG_FOLDER = "log"
SERVED_FOLDER = "served"
ERASURES_FILE = "erasures.jsonl"
SWEEP_S = 60.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Parts:
    """What is opened, and has to be closed."""

    service: FeatureService
    servers: ModelServers
    event_log: LocalLog
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
) -> AsyncGenerator[FeatureService]:
    """A service that runs: state restored, model servers followed, checkpoints taken.

    Args:
        settings: Behaviour.
        data: The folder of log and store; made when missing.
        targets: The model servers, `host:port`.
        as_of_log: Start the clock at the log's end instead of now.
        now_ms: A clock of the caller's own instead.

    Raises:
        SettingsError: A scene names a channel, filter or re-ranker that does not exist, or the live index cannot be
            approximate as it should.
        LogError: The log is another writer's, or corrupt.
        StoreError: The store cannot be read.
    """
    _check_names(settings)
    parts = _open(settings, data, targets, as_of_log=as_of_log, now_ms=now_ms)
    service = parts.service
    await service.rollout.follow()
    tasks = [
        asyncio.create_task(service.rollout.keep_following(settings.service.model_poll_s)),
        asyncio.create_task(service.rollout.keep_embedding()),
        asyncio.create_task(parts.checkpoints.keep_taking(settings.service.checkpoint_s)),
        asyncio.create_task(parts.retention.keep()),
        asyncio.create_task(_keep_sweeping(service)),
    ]
    try:
        yield service
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with suppress(StoreError):
            await parts.checkpoints.take()
        if service.served is not None:
            await asyncio.to_thread(service.served.close)
        await parts.servers.close()
        parts.event_log.close()
        parts.store.close()


def _open(settings: Settings, data: Path, targets: Sequence[str], *, as_of_log: bool, now_ms: NowMs | None) -> _Parts:
    approximation = _approximation(settings.service)
    data.mkdir(parents=True, exist_ok=True)
    catalog = build_catalog(settings.service.content_width, settings.attributes)
    state = State(catalog.memories)
    open_again = partial(open_store, settings.store, data, state.dtypes)
    store = open_again()
    event_log = LocalLog.open(data / LOG_FOLDER, base=store.position)
    _catch_up(store, event_log, catalog)
    keeper = StateKeeper(state, store)
    state.position = keeper.restore()
    live = LiveTable(state)
    now_ms = now_ms or _clock(event_log, as_of_log=as_of_log)
    servers = ModelServers(targets)
    asking = Asking(servers, settings.service.deadline_ms / 1000)
    channels = {name: make(asking) for name, make in CHANNELS.items()}
    rollout = Rollout(
        servers=servers,
        catalog=catalog,
        state=state,
        live=live,
        signatures=_signatures(settings, channels),
        now_ms=now_ms,
        approximation=approximation,
    )
    erasures = Erasures.open(data / ERASURES_FILE)
    writer = Writer(
        log=event_log,
        state=state,
        live=live,
        keeper=keeper,
        catalog=catalog,
        duplicates=Duplicates(),
        erasures=erasures,
        lease_ms=round(settings.service.lease_s * 1000),
        content_width=settings.service.content_width,
        room_changed=rollout.room_changed,
    )
    applied = writer.restore(now_ms())
    log.info("restored at position %d, %d events of them from the log", state.position, applied)
    service = FeatureService(
        settings=settings,
        catalog=catalog,
        state=state,
        live=live,
        keeper=keeper,
        writer=writer,
        rollout=rollout,
        pipeline=_pipeline(settings, servers, channels),
        now_ms=now_ms,
        served=_served_log(settings.served.share, data, catalog),
    )
    retention = Retention(
        settings.retention,
        event_log,
        service.served,
        (data / LOG_FOLDER, data / SERVED_FOLDER),
        store,
        erasures,
        now_ms,
    )
    checkpoints = Checkpoints(service, event_log, store, open_again)
    return _Parts(service, servers, event_log, store, checkpoints, retention)


def _catch_up(store: Store, event_log: LocalLog, catalog: Catalog) -> None:
    """Fills a store that is far behind the log by parts: all that has changed would not fit in memory."""
    behind = event_log.position - store.position
    if behind > CHECKPOINT_EVERY:
        log.info("filling the store with %d events from the log", behind)
        events = event_log.read(store.position)
        refill(store, State(catalog.memories), events, event_log.position, lambda done: log.info("%d events", done))


def _served_log(share: float, data: Path, catalog: Catalog) -> ServedLog | None:
    return ServedLog(data / SERVED_FOLDER, share, catalog.fingerprint) if share else None


def _approximation(service: Service) -> Approximation:
    """When the live indexes approximate; whether they can is known before the service starts."""
    try:
        approximation = Approximation(service.approximate_above, service.approximate_probe)
        if approximation.above:
            load_faiss()
    except (ValueError, ImportError) as error:
        raise SettingsError(f"service.{error}") from None
    return approximation


def _clock(event_log: LocalLog, *, as_of_log: bool) -> NowMs:
    if not as_of_log:
        return wall_clock
    last_ms = 0
    for _, event in event_log.read(max(event_log.position - 1, 0)):
        last_ms = event.received_ms or event.time_ms
    if not last_ms:
        raise SettingsError("--as-of log: expected a log with at least one event, received an empty one")
    return clock_from(last_ms)


def _signatures(settings: Settings, channels: Mapping[str, Channel | Scorer]) -> dict[str, tuple[str, ...]]:
    """The models that some scene needs, and the signatures of each: rankers, and what its channels ask."""
    scenes = settings.all_scenes
    asked = sorted({name for scene in scenes for name in scene.channels})
    served = {name: channel.signatures for name in asked if isinstance(channel := channels[name], Served)}
    return served | {scene.ranker: (contract.SERVING_DEFAULT,) for scene in scenes if scene.ranker}


def _pipeline(settings: Settings, servers: ModelServers, channels: Mapping[str, Channel | Scorer]) -> Pipeline:
    service = settings.service
    return Pipeline(
        channels={name: each for name, each in channels.items() if not isinstance(each, Scorer)},
        scorers={name: each for name, each in channels.items() if isinstance(each, Scorer)},
        filters={name: make() for name, make in FILTERS.items()},
        rerankers={name: make() for name, make in RERANKERS.items()},
        servers=servers,
        channel_share=service.channel_share,
        rank_share=service.rank_share,
        timer=time.perf_counter,
    )


def _check_names(settings: Settings) -> None:
    for scene in settings.all_scenes:
        parts = {"channels": CHANNELS, "channel_weights": CHANNELS, "filters": FILTERS, "rerank": RERANKERS}
        for part, known in parts.items():
            for name in getattr(scene, part):
                if name not in known:
                    expected = ", ".join(sorted(known))
                    raise SettingsError(f"scenes.{scene.name}.{part}: expected {expected}, received {name!r}")


async def _keep_sweeping(service: FeatureService) -> None:
    while True:
        await asyncio.sleep(SWEEP_S)
        for row in service.live.sweep(service.now_ms()):
            service.rollout.room_changed(row)
