"""Tests of the quality ladder: what an answer of each rung leaves out, and which rung a fault leads to."""

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pytest

from feature_service.features.catalog import build_catalog
from feature_service.features.events import EventKind
from feature_service.filters import FILTERS
from feature_service.live.table import Rows
from feature_service.model_servers import ModelServers
from feature_service.models import bind
from feature_service.overload.ladder import Rung
from feature_service.pipeline import Pipeline
from feature_service.recall.hot import Hot
from feature_service.stages import Order, Ranked, Recalled, Request, World
from feature_service.trace import Outcome
from tests.feature_service.live_platform import CONTENT_WIDTH, LivePlatform, request
from tests.feature_service.scripted_model_server import ScriptedServer, ranker, serving

ROOMS = ("anna/1", "ben/1", "cleo/1", "dora/1")


class Finds:
    """Finds all rooms but the last, in the order of their names."""

    waits: ClassVar[bool] = False

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    async def recall(self, request: Request, world: World, limit: int) -> Recalled:
        return Recalled("finds", self._rows, np.ones(len(self._rows), np.float32))


class Reverses:
    """A re-ranker that turns the slate round."""

    def order(self, request: Request, world: World, ranked: Ranked, places: Rows) -> Order:
        return Order(places[::-1])


@dataclass(frozen=True, slots=True)
class Stack:
    """A pipeline whose ranker prefers rooms with more viewers, and its model server."""

    server: ScriptedServer
    pipeline: Pipeline
    world: World

    async def answer(self, rung: Rung, **scene: Any) -> Outcome:
        wanted = {
            "channels": {"finds": 10},
            "rerank": ("reverses",),
            "ranker": "mmoe",
            "fusion": {"enter": 1.0},
            "k": 2,
        }
        asked = request(**{**wanted, **scene})
        return await self.pipeline.run(asked, self.world, time.perf_counter() + 30, rung)


@asynccontextmanager
async def stack() -> AsyncGenerator[Stack]:
    platform, catalog = LivePlatform(), build_catalog(CONTENT_WIDTH)
    for place, room in enumerate(ROOMS):
        platform.start(room, viewers=10 * (place + 1))
    platform.report(EventKind.ENTER, room_id="dora/1", user_id="someone")
    async with serving({"mmoe": ranker(catalog)}) as server:
        servers = ModelServers([server.target])
        pipeline = Pipeline(
            channels={"finds": Finds(platform.rows(*ROOMS[:3])), "hot": Hot()},
            scorers={},
            filters={name: make() for name, make in FILTERS.items()},
            rerankers={"reverses": Reverses()},
            servers=servers,
            channel_share=0.3,
            rank_share=0.8,
            fewer_ranked=2,
            timer=time.perf_counter,
        )
        models = {"mmoe": await bind(servers, catalog, "mmoe", 1, ["serving_default"], 30)}
        yield Stack(server, pipeline, replace(platform.world, models=models))
        await servers.close()


@pytest.mark.parametrize(
    ("rung", "rooms"),
    [
        # Three are found: anna, ben, cleo; by viewers that is cleo, ben, anna, and turned round anna, ben.
        (Rung.FULL, ["anna/1", "ben/1"]),
        # The first two, by viewers ben, anna, turned round.
        (Rung.FEWER_RANKED, ["anna/1", "ben/1"]),
        (Rung.NO_RERANK, ["ben/1", "anna/1"]),
        (Rung.RECALL_ORDER, ["anna/1", "ben/1"]),
        # What has been entered; nothing else is hot.
        (Rung.HOT, ["dora/1"]),
    ],
)
async def test_each_rung_leaves_out_more_and_the_answer_names_it(rung: Rung, rooms: list[str]) -> None:
    async with stack() as running:
        outcome = await running.answer(rung)
        asked = len(running.server.asked)
    assert [card.room_id for card in outcome.cards] == rooms
    assert outcome.trace.rung is rung
    assert asked == (rung <= Rung.NO_RERANK), "the lower rungs ask no model server"


async def test_fewer_are_ranked_on_the_second_rung_but_as_many_as_the_slate_is_long() -> None:
    async with stack() as running:
        counts = {
            (rung, k): len(ranked.scores)
            for rung, k in ((Rung.FULL, 2), (Rung.FEWER_RANKED, 1), (Rung.FEWER_RANKED, 3))
            if (ranked := (await running.answer(rung, k=k)).trace.ranked)
        }
    assert counts == {(Rung.FULL, 2): 3, (Rung.FEWER_RANKED, 1): 2, (Rung.FEWER_RANKED, 3): 3}


async def test_ranker_that_fails_leads_to_recall_order_and_re_ranking_stays() -> None:
    async with stack() as running:
        running.server.models.clear()
        outcome = await running.answer(Rung.FULL)
    assert outcome.trace.rung is Rung.RECALL_ORDER
    assert [card.room_id for card in outcome.cards] == ["cleo/1", "ben/1"]


async def test_recall_that_finds_nothing_leads_to_what_is_hot() -> None:
    async with stack() as running:
        outcome = await running.answer(Rung.FULL, channels={})
    assert outcome.trace.rung is Rung.HOT


async def test_scene_without_a_ranker_is_whole_without_one() -> None:
    async with stack() as running:
        outcome = await running.answer(Rung.FULL, ranker="")
    assert outcome.trace.rung is Rung.FULL
