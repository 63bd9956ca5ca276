"""The pipeline's policy of failure: what fails or is late costs only its own part, and the answer says so."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest

from feature_service.features.catalog import Catalog, build_catalog
from feature_service.features.events import EventKind
from feature_service.filters import FILTERS
from feature_service.model_servers import ModelServers
from feature_service.models import ServedModel, bind
from feature_service.pipeline import Pipeline
from feature_service.recall.hot import Hot
from feature_service.stages import Recalled, Request, Scorer, World
from feature_service.trace import Outcome
from serving.launch import free_port
from tests.feature_service.live_platform import CONTENT_WIDTH, LivePlatform, request
from tests.feature_service.scripted_model_server import Hold, ScriptedServer, ranker, serving

ENTER = {"fusion": {"enter": 1.0}}


class Finds:
    """A channel that finds the same rooms each time."""

    waits: ClassVar[bool] = False

    def __init__(self, platform: LivePlatform, *room_ids: str) -> None:
        self._rows = platform.rows(*room_ids)

    async def recall(self, request: Request, world: World, limit: int) -> Recalled:
        return Recalled("finds", self._rows, np.ones(len(self._rows), np.float32))


class Raises:
    waits: ClassVar[bool] = False

    async def recall(self, request: Request, world: World, limit: int) -> Recalled:
        raise RuntimeError("the table is gone")


class Hangs:
    """A channel that never answers, and notes that it was told to stop."""

    waits: ClassVar[bool] = True

    def __init__(self) -> None:
        self.started, self.cancelled = asyncio.Event(), asyncio.Event()

    async def recall(self, request: Request, world: World, limit: int) -> Recalled:
        self.started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        raise AssertionError


class Asks:
    """A channel that asks a server: as with gRPC, another task sends what it asks."""

    waits: ClassVar[bool] = True

    def __init__(self, diary: list[str]) -> None:
        self._diary = diary

    async def recall(self, request: Request, world: World, limit: int) -> Recalled:
        await asyncio.create_task(self._send())
        return Recalled("asks", np.zeros(0, np.intp), np.zeros(0, np.float32))

    async def _send(self) -> None:
        self._diary.append("sent")


class Reverses:
    """A scorer that finds what the others found, the other way round."""

    async def score(
        self, request: Request, world: World, others: Awaitable[Sequence[Recalled]], limit: int
    ) -> Recalled:
        rows = np.concatenate([each.rows for each in await others])[::-1]
        for _ in range(100):  # As one that asks a server, it has no answer before others have had their turn.
            await asyncio.sleep(0)
        return Recalled("reverses", rows, np.ones(len(rows), np.float32))


class Counts:
    """A scorer that finds nothing, and notes how many channels have answered."""

    def __init__(self) -> None:
        self.others: list[int] = []

    async def score(
        self, request: Request, world: World, others: Awaitable[Sequence[Recalled]], limit: int
    ) -> Recalled:
        self.others.append(len(await others))
        return Recalled("counts", np.zeros(0, np.intp), np.zeros(0, np.float32))


class Works:
    """A channel that computes."""

    waits: ClassVar[bool] = False

    def __init__(self, diary: list[str]) -> None:
        self._diary = diary

    async def recall(self, request: Request, world: World, limit: int) -> Recalled:
        self._diary.append("worked")
        return Recalled("works", np.zeros(0, np.intp), np.zeros(0, np.float32))


@pytest.fixture
def platform() -> LivePlatform:
    """Three rooms on air with 10, 30 and 20 viewers."""
    platform = LivePlatform()
    for streamer, viewers in (("anna", 10), ("ben", 30), ("cleo", 20)):
        platform.start(f"{streamer}/1", viewers=viewers)
    return platform


@pytest.fixture
def catalog() -> Catalog:
    return build_catalog(CONTENT_WIDTH)


@asynccontextmanager
async def pipeline_of(channels: Mapping[str, Any], *targets: str) -> AsyncGenerator[Pipeline]:
    servers = ModelServers(targets)
    yield Pipeline(
        channels={"hot": Hot(), **{name: each for name, each in channels.items() if not isinstance(each, Scorer)}},
        scorers={name: each for name, each in channels.items() if isinstance(each, Scorer)},
        filters={name: make() for name, make in FILTERS.items()},
        rerankers={},
        servers=servers,
        channel_share=0.3,
        rank_share=0.8,
        fewer_ranked=100,
        timer=time.perf_counter,
    )
    await servers.close()


async def answer(
    pipeline: Pipeline, platform: LivePlatform, models: Mapping[str, ServedModel], budget_s: float = 30, **scene: Any
) -> Outcome:
    channels = dict.fromkeys([name for name in (*pipeline.channels, *pipeline.scorers) if name != "hot"], 10)
    asked = request(**{"channels": channels, "rerank": (), "ranker": "", **ENTER, **scene})
    world = replace(platform.world, models=models)
    return await pipeline.run(asked, world, time.perf_counter() + budget_s)


def rooms(outcome: Outcome) -> list[str]:
    return [card.room_id for card in outcome.cards]


def degraded(outcome: Outcome) -> dict[str, tuple[str, str]]:
    return {each.stage: (each.cause, each.fallback) for each in outcome.trace.degraded}


async def test_broken_channel_costs_only_its_candidates(platform: LivePlatform) -> None:
    async with pipeline_of({"finds": Finds(platform, "anna/1"), "broken": Raises()}) as pipeline:
        outcome = await answer(pipeline, platform, {})
    assert rooms(outcome) == ["anna/1"]
    assert degraded(outcome) == {"recall.broken": ("RuntimeError: the table is gone", "the other channels")}


async def test_late_channel_costs_only_its_candidates_and_is_told_to_stop(platform: LivePlatform) -> None:
    late = Hangs()
    async with pipeline_of({"finds": Finds(platform, "anna/1"), "late": late}) as pipeline:
        outcome = await answer(pipeline, platform, {}, budget_s=0.5)
        await asyncio.wait_for(late.cancelled.wait(), 30)
    assert rooms(outcome) == ["anna/1"]
    assert degraded(outcome) == {"recall.late": ("late", "the other channels")}


async def test_late_channel_gets_its_share_of_the_time_and_no_more(platform: LivePlatform) -> None:
    async with pipeline_of({"finds": Finds(platform, "anna/1"), "late": Hangs()}) as pipeline:
        outcome = await answer(pipeline, platform, {}, budget_s=2)
    recall = next(stage for stage in outcome.trace.stages if stage.stage == "recall")
    # Recall may use 0.3 of 2 s; what is above is the machine's, far from the whole budget.
    assert 590 <= recall.duration_ms < 2000


async def test_channels_work_while_those_that_wait_have_asked(platform: LivePlatform) -> None:
    diary: list[str] = []
    async with pipeline_of({"works": Works(diary), "asks": Asks(diary)}) as pipeline:
        await answer(pipeline, platform, {})
    assert diary == ["sent", "worked"]


async def test_scorer_gets_what_the_others_found(platform: LivePlatform) -> None:
    channels = {"reverses": Reverses(), "finds": Finds(platform, "anna/1", "ben/1")}
    async with pipeline_of(channels) as pipeline:
        outcome = await answer(pipeline, platform, {}, channels={"reverses": 10, "finds": 1})
    assert rooms(outcome) == ["ben/1", "anna/1"]
    assert [platform.rooms(each.rows) for each in outcome.trace.recalled] == [["ben/1", "anna/1"], ["anna/1", "ben/1"]]


async def test_late_channel_does_not_take_the_scorer_along(platform: LivePlatform) -> None:
    channels = {"finds": Finds(platform, "anna/1"), "late": Hangs(), "reverses": Reverses()}
    async with pipeline_of(channels) as pipeline:
        outcome = await answer(pipeline, platform, {}, budget_s=2)
    assert [each.channel for each in outcome.trace.recalled] == ["finds", "reverses"]
    assert degraded(outcome) == {"recall.late": ("late", "the other channels")}


async def test_broken_channel_does_not_take_the_scorer_along(platform: LivePlatform) -> None:
    channels = {"finds": Finds(platform, "anna/1"), "broken": Raises(), "reverses": Reverses()}
    async with pipeline_of(channels) as pipeline:
        outcome = await answer(pipeline, platform, {})
    assert [each.channel for each in outcome.trace.recalled] == ["finds", "reverses"]
    assert list(degraded(outcome)) == ["recall.broken"]


async def test_scorer_that_is_asked_alone_gets_nothing(platform: LivePlatform) -> None:
    alone = Counts()
    async with pipeline_of({"alone": alone}) as pipeline:
        await answer(pipeline, platform, {})
    assert alone.others == [0]


async def test_trace_tells_when_each_channel_worked(platform: LivePlatform) -> None:
    channels = {"finds": Finds(platform, "anna/1"), "late": Hangs(), "reverses": Reverses()}
    async with pipeline_of(channels) as pipeline:
        outcome = await answer(pipeline, platform, {}, budget_s=4)
    times = {each.stage: each for each in outcome.trace.stages}
    assert {"recall.finds", "recall.reverses", "recall"} <= set(times)
    # Recall has 0.3 of 4 s, and the scorer has to wait for half of that.
    assert times["recall.finds"].duration_ms < 600 <= times["recall.reverses"].duration_ms + 1
    assert all(0 <= each.start_ms <= times["recall"].duration_ms for each in times.values() if "." in each.stage)


async def test_cancelled_request_stops_its_channels(platform: LivePlatform) -> None:
    late = Hangs()
    async with pipeline_of({"late": late}) as pipeline:
        asked = asyncio.create_task(answer(pipeline, platform, {}))
        await asyncio.wait_for(late.started.wait(), 30)
        asked.cancel()
        await asyncio.wait_for(late.cancelled.wait(), 30)
        with pytest.raises(asyncio.CancelledError):
            await asked


@pytest.mark.parametrize("channels", [{}, {"broken": Raises()}], ids=["none asked", "all broken"])
async def test_without_any_candidate_what_is_hot_is_shown(platform: LivePlatform, channels: dict[str, Any]) -> None:
    platform.enter("cleo/1", times=3)
    async with pipeline_of(channels) as pipeline:
        outcome = await answer(pipeline, platform, {})
    assert rooms(outcome) == ["cleo/1"]
    assert degraded(outcome)["recall"] == ("no channel found a room", "hot")


async def test_answer_is_empty_when_even_what_is_hot_fails(platform: LivePlatform) -> None:
    async with pipeline_of({"broken": Raises(), "hot": Raises()}) as pipeline:
        outcome = await answer(pipeline, platform, {}, channels={"broken": 10})
    assert rooms(outcome) == []
    assert "recall.hot" in degraded(outcome)


@asynccontextmanager
async def ranked_by(
    catalog: Catalog, platform: LivePlatform, *room_ids: str
) -> AsyncGenerator[tuple[ScriptedServer, Pipeline, dict[str, ServedModel]]]:
    """A pipeline that finds these rooms, and a scripted ranker `mmoe`."""
    async with (
        serving({"mmoe": ranker(catalog)}) as server,
        pipeline_of({"finds": Finds(platform, *room_ids)}, server.target) as pipeline,
    ):
        model = await bind(pipeline.servers, catalog, "mmoe", 1, ["serving_default"], 30)
        yield server, pipeline, {"mmoe": model}


async def test_ranker_orders_the_slate(catalog: Catalog, platform: LivePlatform) -> None:
    async with ranked_by(catalog, platform, "anna/1", "ben/1", "cleo/1") as (_, pipeline, models):
        outcome = await answer(pipeline, platform, models, ranker="mmoe")
    assert rooms(outcome) == ["ben/1", "cleo/1", "anna/1"]  # 30, 20 and 10 viewers.
    assert outcome.versions == {"mmoe": 1}
    assert not degraded(outcome)


async def test_late_ranker_leaves_recall_order_within_the_deadline(catalog: Catalog, platform: LivePlatform) -> None:
    async with ranked_by(catalog, platform, "anna/1", "ben/1", "cleo/1") as (server, pipeline, models):
        server.holds["mmoe"] = Hold()
        started_s = time.perf_counter()
        outcome = await answer(pipeline, platform, models, budget_s=2, ranker="mmoe")
        took_s = time.perf_counter() - started_s
    assert rooms(outcome) == ["anna/1", "ben/1", "cleo/1"]
    assert degraded(outcome)["rank"][1] == "recall order"
    assert "DEADLINE_EXCEEDED" in degraded(outcome)["rank"][0]
    assert took_s < 2


async def test_ranker_that_is_down_leaves_recall_order(catalog: Catalog, platform: LivePlatform) -> None:
    async with ranked_by(catalog, platform, "anna/1", "ben/1") as (_, _, models):
        pass
    async with pipeline_of({"finds": Finds(platform, "anna/1", "ben/1")}, f"127.0.0.1:{free_port()}") as pipeline:
        outcome = await answer(pipeline, platform, models, budget_s=5, ranker="mmoe")
    assert rooms(outcome) == ["anna/1", "ben/1"]
    assert degraded(outcome)["rank"][1] == "recall order"


async def test_scene_whose_ranker_does_not_serve_shows_recall_order(platform: LivePlatform) -> None:
    async with pipeline_of({"finds": Finds(platform, "anna/1", "ben/1")}) as pipeline:
        outcome = await answer(pipeline, platform, {}, ranker="mmoe")
    assert rooms(outcome) == ["anna/1", "ben/1"]
    assert degraded(outcome) == {"rank": ("no version of mmoe serves", "recall order")}


async def test_recall_order_goes_by_the_weights_of_the_scene(platform: LivePlatform) -> None:
    channels = {"finds": Finds(platform, "anna/1", "ben/1"), "reverses": Reverses()}
    async with pipeline_of(channels) as pipeline:
        alike = await answer(pipeline, platform, {}, channels={"finds": 2, "reverses": 2})
        trusting = await answer(
            pipeline, platform, {}, channels={"finds": 2, "reverses": 2}, channel_weights={"reverses": 2.0}
        )
    assert rooms(alike) == ["anna/1", "ben/1"]  # A tie goes to the first channel's first.
    assert rooms(trusting) == ["ben/1", "anna/1"]


async def test_predictions_of_another_shape_leave_recall_order(catalog: Catalog, platform: LivePlatform) -> None:
    async with ranked_by(catalog, platform, "anna/1", "ben/1") as (server, pipeline, models):
        server.models["mmoe"].compute["serving_default"] = lambda version, inputs: np.zeros((1, 7), np.float32)
        outcome = await answer(pipeline, platform, models, ranker="mmoe")
    assert rooms(outcome) == ["anna/1", "ben/1"]
    assert "expected predictions [2, 1], received [1, 7]" in degraded(outcome)["rank"][0]


async def test_room_without_a_finite_score_stands_last(catalog: Catalog, platform: LivePlatform) -> None:
    async with ranked_by(catalog, platform, "anna/1", "ben/1", "cleo/1") as (server, pipeline, models):
        scores = np.array([[np.nan], [0.1], [0.2]], np.float32)
        server.models["mmoe"].compute["serving_default"] = lambda version, inputs: scores
        outcome = await answer(pipeline, platform, models, ranker="mmoe")
    assert rooms(outcome) == ["cleo/1", "ben/1", "anna/1"]


async def test_room_that_ends_while_it_is_ranked_is_not_shown(catalog: Catalog, platform: LivePlatform) -> None:
    async with ranked_by(catalog, platform, "anna/1", "ben/1") as (server, pipeline, models):
        hold = server.holds["mmoe"] = Hold()
        asked = asyncio.create_task(answer(pipeline, platform, models, ranker="mmoe"))
        await asyncio.wait_for(hold.arrived.wait(), 30)
        platform.report(EventKind.ROOM_ENDED, room_id="ben/1")
        hold.released.set()
        outcome = await asked
    assert rooms(outcome) == ["anna/1"]
