"""The service: answers checked requests over the state, the live rooms and the served models. It knows no transport."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from feature_service import checks
from feature_service.admin.recent import RecentCalls
from feature_service.admin.series import HeatSeries
from feature_service.admin.what_if import Wish, check_wish, wished
from feature_service.checks import Asked, RequestError
from feature_service.clock import NowMs
from feature_service.degraded import CauseKind, Degraded, kind_of
from feature_service.features.catalog import Catalog
from feature_service.features.events import Event
from feature_service.features.layout import Layout
from feature_service.features.schema import key_of
from feature_service.features.state import State
from feature_service.features.tensors import TensorBuilder, Tensors
from feature_service.features.view import Context
from feature_service.live.table import LiveTable
from feature_service.observe.observer import Observer
from feature_service.observe.requests import REQUEST_ID
from feature_service.overload.ladder import Rung
from feature_service.overload.limiter import Limiters
from feature_service.pipeline import Pipeline
from feature_service.rollout import Rollout
from feature_service.served.log import ServedLog
from feature_service.settings import Settings
from feature_service.similar import Neighbours, similar_streamers
from feature_service.stages import Request, World
from feature_service.stores.protocol import StoreError
from feature_service.trace import Outcome
from feature_service.writer import Result

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FeatureTensors:
    """The tensors of a user and rooms.

    Attributes:
        tensors: Packed tensors by name.
        layout: Their columns.
        unknown_room_ids: Rooms that the service does not know; they have no row.
        now_ms: The clock of the features.
        log_position: The log position that they include.
    """

    tensors: Tensors
    layout: Layout
    unknown_room_ids: list[str]
    now_ms: int
    log_position: int


class Users(Protocol):
    """Brings the records of users into the state."""

    @property
    def stored_position(self) -> int:
        """The log position that the store includes; -1 = this process does not write it."""
        ...

    @property
    def lag(self) -> str:
        """Why the state may not be the newest; empty = it is."""
        ...

    async def ready(self, user_key: int) -> None:
        """Brings a user in, as of the state's position.

        Raises:
            StoreError: The user cannot be read.
        """
        ...


class Reports(Protocol):
    """Where reported events go."""

    async def report(self, reported: Sequence[Event], now_ms: int) -> list[Result]:
        """Takes events in; the answer comes when they are durable.

        Raises:
            LogError: They cannot be logged, and nothing is acknowledged.
            StoreError: What an event touches cannot be read; likewise.
        """
        ...


@dataclass(slots=True)
class Held:
    """The settings that hold now; a request keeps the scene that it began with."""

    value: Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureService:
    """Everything that one process serves.

    Attributes:
        held: Behaviour, as it is now.
        catalog: The features.
        state: Records and facts.
        live: The rooms on air.
        keeper: Brings the users of requests in.
        writer: Takes events in.
        rollout: The versions that serve.
        pipeline: The stages.
        limiters: How many requests run at once.
        now_ms: The clock.
        served: Logs what is shown; None = the settings want none of it.
        observer: Makes metrics and traces of what happens; None = nobody looks at them.
        series: The heat of the rooms over the last minutes.
        recent: What was answered in the last minutes.
    """

    held: Held
    catalog: Catalog
    state: State
    live: LiveTable
    keeper: Users
    writer: Reports
    rollout: Rollout
    pipeline: Pipeline
    limiters: Limiters
    now_ms: NowMs
    served: ServedLog | None = None
    observer: Observer | None = None
    series: HeatSeries = field(default_factory=HeatSeries)
    recent: RecentCalls = field(default_factory=RecentCalls)

    @property
    def settings(self) -> Settings:
        """Behaviour, as it is now."""
        return self.held.value

    @property
    def ready(self) -> bool:
        """Whether answers can be whole: the default scene's ranker serves, or there is no model server to wait for."""
        ranker = self.settings.scene("").ranker
        return not ranker or not self.pipeline.servers.targets or ranker in self.rollout.current.models

    def world(self) -> World:
        """What the stages of one request read; the versions stay the same while it runs."""
        generation = self.rollout.current
        return World(self.state, self.live, generation.indexes, generation.models)

    async def recommend(self, asked: Asked, timeout_s: float | None, world: World, rung: Rung = Rung.FULL) -> Outcome:
        """A slate of rooms that are on air now, with its explanation.

        Args:
            asked: The request.
            timeout_s: What is left of the caller's deadline; None = the caller set none.
            world: From `world()`.
            rung: How much to do for it at most.

        Raises:
            RequestError: A field of the request is not usable.
        """
        request = checks.check(asked, self.settings, self.now_ms())
        return await self._answer(request, timeout_s, world, rung)

    async def what_if(
        self, asked: Asked, wish: Wish, timeout_s: float | None, world: World, rung: Rung = Rung.FULL
    ) -> tuple[Outcome, World]:
        """The slate that a request would get if something were different; it is for people to look at, not `shown`.

        Args:
            asked: The request.
            wish: What should be different.
            timeout_s: As of `recommend`.
            world: From `world()`.
            rung: As of `recommend`.

        Returns:
            The slate with its explanation, and the world in which it was made.

        Raises:
            RequestError: A field of the request or the wish is not usable.
            ServingError: A model server cannot say what it has loaded.
        """
        check_wish(wish)
        request = checks.check(asked, self.settings, self.now_ms())
        budget_s, servers = self._budget_s(timeout_s), self.pipeline.servers
        started_s = time.perf_counter()
        request, world = await wished(request, wish, world, servers, self.catalog, budget_s)
        left_s = budget_s - (time.perf_counter() - started_s)
        return await self._answer(request, left_s, world, rung), world

    async def _answer(self, request: Request, timeout_s: float | None, world: World, rung: Rung) -> Outcome:
        REQUEST_ID.set(request.request_id)
        deadline_s = time.perf_counter() + self._budget_s(timeout_s)
        degraded = await self._load_user(request.user_key)
        outcome = await self.pipeline.run(request, world, deadline_s, rung)
        outcome.trace.degraded.extend(degraded)
        log.debug("%d rooms", len(outcome.cards))
        if self.observer is not None:
            self.observer.answered(outcome)
        return outcome

    def shown(self, outcome: Outcome) -> None:
        """Takes note that an answer of `recommend` goes to a viewer; one that people only look at does not."""
        if self.served is not None:
            self.served.offer(outcome)
        if self.observer is not None:
            self.observer.shown(outcome)

    async def report(self, events: Sequence[Event]) -> list[Result]:
        """Takes events in; the answer comes when they are durable.

        Raises:
            RequestError: There are none, or too many.
            LogError: The log cannot be written.
            StoreError: What an event touches cannot be read.
        """
        checks.check_count("events", len(events), checks.MAX_EVENTS)
        now_ms = self.now_ms()
        results = await self.writer.report(events, now_ms)
        if self.observer is not None:
            self.observer.reported(events, results, now_ms, self.state)
        return results

    async def similar(
        self, streamer_id: str, k: int, *, live_only: bool, timeout_s: float | None, world: World
    ) -> Neighbours:
        """The streamers whom those watch that watch this one, best first.

        Args:
            streamer_id: Whose neighbours; one who is unknown has none.
            k: How many at most.
            live_only: Whether to leave out who is off air.
            timeout_s: What is left of the caller's deadline; None = the caller set none.
            world: From `world()`.

        Raises:
            RequestError: A field is not usable.
            NotServedError: No version of the neighbour model serves.
            ServingError: The model server failed, or was late.
        """
        checks.check_id("streamer_id", streamer_id)
        checks.check_count("k", k, self.settings.service.max_k)
        return await similar_streamers(
            self.pipeline.servers,
            world,
            streamer_id,
            k,
            live_only=live_only,
            now_ms=self.now_ms(),
            timeout_s=self._budget_s(timeout_s),
        )

    async def features(
        self, user_id: str, room_ids: Sequence[str], context: Context, model: str, world: World
    ) -> FeatureTensors:
        """The tensors of a user and rooms, as a model reads them or as the whole catalogue has them.

        Each known room of `room_ids` has a row, in their order; an empty scene is the default one, as in `recommend`.

        Raises:
            RequestError: A field is not usable, or no model of that name serves.
        """
        checks.check_id("user_id", user_id)
        checks.check_count("room_ids", len(room_ids), checks.MAX_ROOMS)
        if model and model not in world.models:
            known = ", ".join(sorted(world.models)) or "none, for no model serves"
            raise RequestError(f"model: expected one of {known}, received {model!r}")
        context = replace(context, scene=checks.check_scene(context.scene, self.settings).name)
        layout = world.models[model].layout if model else self.catalog.layout()
        user_key, now_ms = key_of("user", user_id), self.now_ms()
        await self._load_user(user_key)
        found = [(room_id, self.state.rooms.find(key_of("room", room_id))) for room_id in room_ids]
        rows = np.array([row for _, row in found if row], np.intp)
        view = self.state.view(user_key, rows, self.live.streamer_rows(rows), context, now_ms)
        return FeatureTensors(
            tensors=TensorBuilder(self.catalog, layout).build(view),
            layout=layout,
            unknown_room_ids=[room_id for room_id, row in found if not row],
            now_ms=now_ms,
            log_position=self.state.position,
        )

    def _budget_s(self, timeout_s: float | None) -> float:
        """What is left of the caller's deadline, or the settings' for a caller who set none."""
        return self.settings.service.deadline_ms / 1000 if timeout_s is None else timeout_s

    async def _load_user(self, user_key: int) -> list[Degraded]:
        """Brings a user's records in; without the store the user is served as an unknown one."""
        lag = self.keeper.lag
        fallback = "the records as they were last read"
        degraded = [Degraded("changes", lag, fallback, CauseKind.BEHIND)] if lag else []
        try:
            await self.keeper.ready(user_key)
        except StoreError as error:
            degraded.append(Degraded("store", str(error), "the records of an unknown user", kind_of(error)))
        return degraded
