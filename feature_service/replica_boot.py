"""Boot of a replica: answers like the service whose Redis it follows, and forwards reports to it."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from feature_service.assembly import SERVED_FOLDER, Assembly, assemble, check, running
from feature_service.clock import NowMs, wall_clock
from feature_service.erasures import ERASURES_FILE
from feature_service.features.catalog import build_catalog
from feature_service.features.state import State
from feature_service.model_servers import ModelServers
from feature_service.observe.observer import Observer
from feature_service.remote_writer import RemoteWriter
from feature_service.replica import Replica
from feature_service.replica_retention import ReplicaRetention
from feature_service.served.retention import ServedRetention
from feature_service.server import UNIX
from feature_service.service import FeatureService
from feature_service.settings import Settings, SettingsError
from feature_service.stores.opening import STORE_FILE
from feature_service.stores.protocol import Follower
from feature_service.stores.redis_follower import RedisFollower
from feature_service.stores.settings import StoreSettings
from feature_service.stores.sqlite_follower import SqliteFollower
from serving.client import unwatched
from serving.credentials import PLAIN, Credentials

ERASED_FILE = "erased.position"


@asynccontextmanager
async def booted_replica(
    settings: Settings,
    data: Path,
    targets: Sequence[str],
    writer: str,
    *,
    follow: Path | None = None,
    now_ms: NowMs = wall_clock,
    credentials: Credentials = PLAIN,
    observer: Observer | None = None,
) -> AsyncGenerator[FeatureService]:
    """A replica that runs: rooms read, the store and the model servers followed.

    Args:
        settings: Behaviour; the store is the writer's.
        data: The folder of its own served log; made when missing.
        targets: The model servers, `host:port`.
        writer: The service that owns log and store, `host:port` or, on this machine, `unix:path`.
        follow: The service's data folder, where its store is a file.
        now_ms: The clock.
        credentials: By what model servers and the writer are known, and what they know us by; the token, which is for
            the writer alone, needs the scope `report`.
        observer: Makes metrics and traces of what happens.

    Raises:
        SettingsError: There is no store to follow, or the settings ask for something that does not exist.
        StoreError: The store cannot be read, or is empty.
        LogError: Another process writes the served log.
    """
    check(settings)
    watch, theirs = observer.watch if observer else unwatched, replace(credentials, token=None)
    servers = ModelServers(targets, credentials=theirs, watch=watch)
    follower, assembly, replica = _open(settings, data, servers, follow, now_ms, observer)
    remote = RemoteWriter(writer, PLAIN if writer.startswith(UNIX) else credentials)
    try:
        await replica.start()
        service = assembly.service(replica, remote)
        async with running(service):
            served = ServedRetention(data / SERVED_FOLDER, service.served, settings.retention.served_days)
            retention = ReplicaRetention(served, follower.erasures, data / ERASED_FILE, now_ms)
            tasks = [asyncio.create_task(replica.keep_following()), asyncio.create_task(retention.keep())]
            try:
                yield service
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        await remote.close()
        follower.close()


def _open(
    settings: Settings,
    data: Path,
    servers: ModelServers,
    follow: Path | None,
    now_ms: NowMs,
    observer: Observer | None,
) -> tuple[Follower, Assembly, Replica]:
    data.mkdir(parents=True, exist_ok=True)
    catalog = build_catalog(settings.service.content_width, settings.attributes)
    state = State(catalog.memories)
    follower = _follower(settings.store, follow, state)
    assembly = assemble(settings, data, servers, catalog, state, now_ms, observer)
    replica = Replica(follower, state, assembly.live, catalog, assembly.rollout.room_changed, now_ms)
    return follower, assembly, replica


def _follower(store: StoreSettings, folder: Path | None, state: State) -> Follower:
    if folder is not None and not store.address:
        return SqliteFollower(folder / STORE_FILE, folder / ERASURES_FILE, state.dtypes)
    if not store.address:
        raise SettingsError("store.address: expected the Redis of the writer, which a replica follows, received none")
    try:
        return RedisFollower(store.address, store.prefix, state.dtypes)
    except (ImportError, ValueError) as error:
        raise SettingsError(f"store.address: {error}") from None
