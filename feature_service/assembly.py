"""Assembly: the parts that answer, the same whoever writes the state: models, live rooms, stages, the served log."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from feature_service.clock import NowMs
from feature_service.features.catalog import Catalog
from feature_service.features.state import State
from feature_service.filters import FILTERS
from feature_service.live.approximate import Approximation, load_faiss
from feature_service.live.table import LiveTable
from feature_service.model_servers import ModelServers
from feature_service.observe.observer import Observer
from feature_service.overload.limiter import Limiters
from feature_service.pipeline import Pipeline
from feature_service.recall import CHANNELS
from feature_service.recall.asking import Asking
from feature_service.rerank import RERANKERS
from feature_service.rollout import Rollout
from feature_service.served.log import ServedLog
from feature_service.service import FeatureService, Held, Reports, Users
from feature_service.settings import Service, Settings, SettingsError
from feature_service.stages import Channel, Scorer, Served
from serving import contract

SERVED_FOLDER = "served"


@dataclass(frozen=True, slots=True)
class Assembly:
    """The parts that answer, over a state.

    Attributes:
        settings: Behaviour.
        catalog: The features.
        state: Records and facts.
        live: The rooms on air.
        servers: The model servers.
        rollout: The versions that serve.
        pipeline: The stages.
        served: The folder of the served log.
        now_ms: The clock.
        observer: Makes metrics and traces of what happens; None = nobody looks at them.
    """

    settings: Settings
    catalog: Catalog
    state: State
    live: LiveTable
    servers: ModelServers
    rollout: Rollout
    pipeline: Pipeline
    served: Path
    now_ms: NowMs
    observer: Observer | None

    def service(self, keeper: Users, writer: Reports) -> FeatureService:
        """The service of these parts.

        Args:
            keeper: Brings users into the state.
            writer: Takes events in.

        Raises:
            LogError: Another process writes the served log.
        """
        share = self.settings.served.share
        return FeatureService(
            held=Held(self.settings),
            catalog=self.catalog,
            state=self.state,
            live=self.live,
            keeper=keeper,
            writer=writer,
            rollout=self.rollout,
            pipeline=self.pipeline,
            limiters=Limiters.of(self.settings.overload, time.perf_counter),
            now_ms=self.now_ms,
            served=ServedLog(self.served, share, self.catalog.fingerprint) if share else None,
            observer=self.observer,
        )


def assemble(
    settings: Settings,
    data: Path,
    servers: ModelServers,
    catalog: Catalog,
    state: State,
    now_ms: NowMs,
    observer: Observer | None,
) -> Assembly:
    """Puts the parts together.

    Args:
        settings: Behaviour.
        data: The folder of the served log.
        servers: The model servers.
        catalog: The features.
        state: Records and facts, as far as they are there by now.
        now_ms: The clock.
        observer: Makes metrics and traces of what happens; None = nobody looks at them.

    Raises:
        SettingsError: The live index cannot be approximate as it should.
    """
    approximation = _approximation(settings.service)
    live = LiveTable(state)
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
    return Assembly(
        settings=settings,
        catalog=catalog,
        state=state,
        live=live,
        servers=servers,
        rollout=rollout,
        pipeline=_pipeline(settings, servers, channels),
        served=data / SERVED_FOLDER,
        now_ms=now_ms,
        observer=observer,
    )


@asynccontextmanager
async def running(service: FeatureService) -> AsyncGenerator[None]:
    """Has a service follow the model servers; lets go of them and of the served log at the end."""
    await service.rollout.follow()
    tasks = [
        asyncio.create_task(service.rollout.keep_following(service.settings.service.model_poll_s)),
        asyncio.create_task(service.rollout.keep_embedding()),
        asyncio.create_task(service.series.keep_sampling(service.state, service.live, service.now_ms)),
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if service.served is not None:
            await asyncio.to_thread(service.served.close)
        await service.pipeline.servers.close()


def check(settings: Settings) -> None:
    """Whether there is what the settings ask for; it is known before anything is opened.

    Raises:
        SettingsError: A scene names a channel, filter or re-ranker that does not exist, or the live index cannot be
            approximate as it should.
    """
    _approximation(settings.service)
    for scene in settings.all_scenes:
        parts = {"channels": CHANNELS, "channel_weights": CHANNELS, "filters": FILTERS, "rerank": RERANKERS}
        for part, known in parts.items():
            for name in getattr(scene, part):
                if name not in known:
                    expected = ", ".join(sorted(known))
                    raise SettingsError(f"scenes.{scene.name}.{part}: expected {expected}, received {name!r}")


def _approximation(service: Service) -> Approximation:
    """When the live indexes approximate, if they can."""
    try:
        approximation = Approximation(service.approximate_above, service.approximate_probe)
        if approximation.above:
            load_faiss()
    except (ValueError, ImportError) as error:
        raise SettingsError(f"service.{error}") from None
    return approximation


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
        fewer_ranked=settings.overload.fewer_ranked,
        timer=time.perf_counter,
    )
