"""The pipeline: recall → merge → filter → rank → fuse → re-rank → compose.

This file alone knows order, deadlines, concurrency and failure. A late or failed channel costs only its candidates; a
late or failed ranker falls back to recall order; with no candidate at all, what is hot is shown. Every answer says what
degraded, and carries its own explanation.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_service.compose import compose
from feature_service.degraded import CauseKind, Degraded, kind_of
from feature_service.features.tensors import Tensors
from feature_service.fusion import fuse, rank_by
from feature_service.merge import merge
from feature_service.model_servers import ModelServers
from feature_service.models import ServedModel
from feature_service.overload.ladder import Rung
from feature_service.overload.turns import Turns
from feature_service.rank import RankerCall, predict_heads, view_of
from feature_service.stages import (
    Candidates,
    Channel,
    Filter,
    Ranked,
    Recalled,
    Request,
    ReRanker,
    Scorer,
    World,
)
from feature_service.trace import Outcome, StageTime, Trace
from serving import contract
from serving.errors import ServingError

FALLBACK_CHANNEL = "hot"

OTHERS_SHARE = 0.5
"""Share of recall's time after which scorers no longer wait for what the other channels find."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """The stages, by the names that scenes use.

    Attributes:
        channels: Recall channels that find by themselves.
        scorers: Recall channels that may need what the others found.
        filters: Filters.
        rerankers: Re-rankers.
        servers: The model servers.
        channel_share: Share of the time left that recall may use.
        rank_share: Share of the time then left that ranking may use.
        fewer_ranked: Candidates that are ranked where fewer are, at least as many as the slate is long.
        timer: Seconds on a steady clock; deadlines are times on it.
        turns: Whose turn it is to compute.
    """

    channels: Mapping[str, Channel]
    scorers: Mapping[str, Scorer]
    filters: Mapping[str, Filter]
    rerankers: Mapping[str, ReRanker]
    servers: ModelServers
    channel_share: float
    rank_share: float
    fewer_ranked: int
    timer: Callable[[], float]
    turns: Turns = field(default_factory=Turns)

    async def run(self, request: Request, world: World, deadline_s: float, rung: Rung = Rung.FULL) -> Outcome:
        """Answers a request by `deadline_s` on the timer, from a rung of the ladder or one that is lower."""
        run = _Run(self, request, world, deadline_s, rung)
        recalled = await run.recall()
        async with self.turns:
            asked = run.prepare(run.filter(run.merge(recalled)))
        predictions = await run.predict(asked)
        async with self.turns:
            ranked = run.rank(asked, predictions)
            return run.compose(ranked, run.rerank(ranked))


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a ranker is asked of: candidates and their tensors; without a model, nothing."""

    candidates: Candidates
    model: ServedModel | None = None
    tensors: Tensors = field(default_factory=dict[str, Any])


class _Run:
    """One request on its way through the stages."""

    def __init__(self, pipeline: Pipeline, request: Request, world: World, deadline_s: float, rung: Rung) -> None:
        self._pipeline = pipeline
        self._request = request
        self._world = world
        self._deadline_s = deadline_s
        self._rung = rung
        self._trace = Trace(log_position=world.state.position, rung=rung)
        self._arrival_s = self._mark_s = pipeline.timer()

    async def recall(self) -> list[Recalled]:
        """Asks all channels at once, each for a full list, so that one can fill what another leaves of its quota."""
        channels = [FALLBACK_CHANNEL] if self._rung == Rung.HOT else list(self._request.scene.channels)
        recalled = await self._ask(channels)
        if not any(len(each.rows) for each in recalled) and FALLBACK_CHANNEL not in channels:
            recalled += await self._ask([FALLBACK_CHANNEL])
            self._degrade("recall", "no channel found a room", FALLBACK_CHANNEL, CauseKind.EMPTY)
            self._trace.rung = Rung.HOT
        self._trace.recalled = recalled
        self._stage("recall")
        return recalled

    def merge(self, recalled: list[Recalled]) -> Candidates:
        """Puts the channels' rooms together, each room once: by quota, in the order on which the channels agree."""
        scene = self._request.scene
        merged = self._trace.candidates = merge(recalled, scene.channels, scene.channel_weights, scene.rank_limit)
        self._stage("merge")
        return merged

    def filter(self, candidates: Candidates) -> Candidates:
        """Drops what must not be shown; the first filter that drops a candidate is remembered."""
        dropped_by = np.full(len(candidates.rows), -1, np.int8)
        for number, name in enumerate(self._request.scene.filters):
            keep = self._pipeline.filters[name].keep(self._request, self._world, candidates.rows)
            dropped_by[(dropped_by < 0) & ~keep] = number
        self._trace.dropped_by = dropped_by
        self._stage("filter")
        return candidates.take(dropped_by < 0)

    def prepare(self, candidates: Candidates) -> "_Asked":
        """What the scene's ranker is to be asked; a lower rung asks it of fewer candidates, or not at all."""
        if self._rung >= Rung.FEWER_RANKED:
            candidates = candidates.take(np.arange(len(candidates.rows)) < self._fewer())
        name = self._request.scene.ranker
        if not name or not len(candidates.rows) or self._rung >= Rung.RECALL_ORDER:
            return _Asked(candidates)
        model = self._world.models.get(name)
        if model is None:
            self._unranked(f"no version of {name} serves", CauseKind.UNSERVED)
            return _Asked(candidates)
        view = view_of(self._request, self._world, candidates.rows)
        self._trace.log_position = self._world.state.position
        return _Asked(candidates, model, model.builders[contract.SERVING_DEFAULT].build(view))

    async def predict(self, asked: "_Asked") -> NDArray[np.float32] | None:
        """The heads of the candidates, float32 [n, heads]; None when the ranker is not asked, or does not answer."""
        if asked.model is None:
            return None
        timeout_s, count = self._left_s() * self._pipeline.rank_share, len(asked.candidates.rows)
        try:
            return await predict_heads(asked.model, self._pipeline.servers, asked.tensors, count, timeout_s)
        except ServingError as error:
            self._unranked(str(error), kind_of(error))
            return None

    def rank(self, asked: "_Asked", predictions: NDArray[np.float32] | None) -> Ranked:
        """Scores the candidates by the scene's fusion; without predictions, in recall order."""
        candidates, model = asked.candidates, asked.model
        if model is None or predictions is None:
            ranked = _in_recall_order(candidates)
        else:
            heads = model.layout.heads
            scores, contributions = fuse(heads, predictions, self._request.scene.fusion)
            order = rank_by(scores, candidates.rows)
            self._trace.ranker_call = RankerCall(model, asked.tensors, order)
            ranked = Ranked(candidates.take(order), heads, predictions[order], contributions[order], scores[order])
        self._trace.ranked = ranked
        self._stage("rank")
        return ranked

    def rerank(self, ranked: Ranked) -> NDArray[np.intp]:
        """Orders the ranked rooms for the slate as a whole."""
        places = np.arange(len(ranked.scores))
        for name in self._rerankers():
            order = self._pipeline.rerankers[name].order(self._request, self._world, ranked, places)
            taken = np.zeros(len(places), np.bool_)
            taken[order.chosen] = True
            places = np.concatenate([order.chosen, places[~taken[places]]])
            self._trace.orders[name] = order
        self._stage("rerank")
        return places

    def compose(self, ranked: Ranked, places: NDArray[np.intp]) -> Outcome:
        """Makes the slate of the rooms that are still on air."""
        on_air = self._world.live.mask(ranked.candidates.rows[places], self._request.now_ms)
        self._trace.ended = int((~on_air[: self._request.k]).sum())
        places = places[on_air][: self._request.k]
        self._trace.slate = places.tolist()
        propensities = self._propensities(len(ranked.scores))[places]
        cards = compose(self._request, self._world, ranked, places, self._trace.recalled, propensities)
        self._stage("compose")
        versions = {name: model.version for name, model in self._world.models.items()}
        return Outcome(self._request, cards, versions, self._trace)

    def _rerankers(self) -> tuple[str, ...]:
        """Those of the scene; none where the service leaves them out, but what a failed ranker leaves is re-ranked."""
        return () if self._rung >= Rung.NO_RERANK else self._request.scene.rerank

    def _fewer(self) -> int:
        """How many candidates are ranked where fewer are."""
        return max(self._pipeline.fewer_ranked, self._request.k)

    def _propensities(self, count: int) -> NDArray[np.float64]:
        """The probability of each ranked room's place, as the re-rankers tell it, float64 [count]."""
        propensities = np.ones(count)
        for order in self._trace.orders.values():
            if order.propensities is not None:
                propensities[order.chosen] = order.propensities
        return propensities

    def _unranked(self, cause: str, kind: CauseKind) -> None:
        self._degrade("rank", cause, "recall order", kind)
        self._trace.rung = max(self._trace.rung, Rung.RECALL_ORDER)

    async def _ask(self, names: Collection[str]) -> list[Recalled]:
        """Asks channels at once; what is late or fails is left out."""
        start_s, time_s = self._pipeline.timer(), self._left_s() * self._pipeline.channel_share
        others: asyncio.Future[Sequence[Recalled]] = asyncio.get_running_loop().create_future()
        tasks: dict[str, asyncio.Task[Recalled]] = {}
        try:
            self._start(tasks, names, others, waits=True)
            if tasks:
                await asyncio.sleep(0)  # They make their calls, which are sent before what starts now has its turn.
            self._start(tasks, names, others, waits=False)
            finders = [task for name, task in tasks.items() if name not in self._pipeline.scorers]
            if len(finders) < len(tasks):
                await self._wait(finders, start_s + time_s * OTHERS_SHARE)
                others.set_result([task.result() for task in finders if task.done() and not task.exception()])
            await self._wait(tasks.values(), start_s + time_s)
        finally:
            # The time is up, or the caller has gone: nobody waits for what is not there by now.
            for task in tasks.values():
                task.cancel()
        return [found for name in names if (found := self._found(name, tasks[name]))]

    def _start(
        self,
        tasks: dict[str, asyncio.Task[Recalled]],
        names: Iterable[str],
        others: Awaitable[Sequence[Recalled]],
        *,
        waits: bool,
    ) -> None:
        """Starts the channels that wait for somebody, as scorers do, or those that do not."""
        request, world, limit = self._request, self._world, self._request.scene.rank_limit
        for name in names:
            if scorer := self._pipeline.scorers.get(name):
                if waits:
                    tasks[name] = asyncio.create_task(self._timed(name, scorer.score(request, world, others, limit)))
            elif (channel := self._pipeline.channels[name]).waits is waits:
                tasks[name] = asyncio.create_task(self._timed(name, channel.recall(request, world, limit)))

    async def _timed(self, name: str, answer: Awaitable[Recalled]) -> Recalled:
        """What a channel answers; when it worked stands in the trace."""
        start_s = self._pipeline.timer()
        try:
            return await answer
        finally:
            self._note(f"recall.{name}", start_s, self._pipeline.timer())

    async def _wait(self, tasks: Collection[asyncio.Task[Recalled]], until_s: float) -> None:
        """Waits for all of them, but not beyond a time on the timer."""
        pending = [task for task in tasks if not task.done()]  # `wait` would go round for those that are done as well.
        if pending:
            await asyncio.wait(pending, timeout=max(until_s - self._pipeline.timer(), 0.0))

    def _found(self, name: str, task: asyncio.Task[Recalled]) -> Recalled | None:
        if not task.done():
            self._degrade(f"recall.{name}", "late", "the other channels", CauseKind.LATE)
            return None
        error = task.exception()
        if error is None:
            return task.result()
        cause = f"{type(error).__name__}: {error}"
        self._degrade(f"recall.{name}", cause, "the other channels", kind_of(error))
        return None

    def _left_s(self) -> float:
        return max(self._deadline_s - self._pipeline.timer(), 0.0)

    def _degrade(self, stage: str, cause: str, fallback: str, kind: CauseKind) -> None:
        self._trace.degraded.append(Degraded(stage, cause, fallback, kind))

    def _stage(self, name: str) -> None:
        now_s = self._pipeline.timer()
        self._note(name, self._mark_s, now_s)
        self._mark_s = now_s

    def _note(self, name: str, start_s: float, end_s: float) -> None:
        start_ms, duration_ms = (start_s - self._arrival_s) * 1000, (end_s - start_s) * 1000
        self._trace.stages.append(StageTime(name, start_ms, duration_ms))


def _in_recall_order(candidates: Candidates) -> Ranked:
    count = len(candidates.rows)
    scores = np.linspace(1.0, 0.0, count, endpoint=False) if count else np.zeros(0)
    return Ranked(candidates, (), np.zeros((count, 0), np.float32), np.zeros((count, 0)), scores)
