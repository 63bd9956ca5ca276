"""Tests of admission over real gRPC: a model server that hangs leads callers down the ladder, and then away."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import grpc.aio
import pytest

from feature_service import settings
from feature_service.boot import booted
from feature_service.clock import wall_clock
from feature_service.features.catalog import build_catalog
from feature_service.features.events import Event, EventKind
from feature_service.overload.hint import PUSHBACK
from protos.onair.v1 import recommendation_pb2 as pb
from tests.feature_service.live_platform import CONTENT_WIDTH
from tests.feature_service.running_service import Running, served
from tests.feature_service.scripted_model_server import Hold, ScriptedServer, ranker, serving, two_tower
from tests.stack.running_stack import eventually

SETTINGS = """
[service]
content_width = 2
model_poll_s = 0.05
deadline_ms = 60000
[scene.channels]
two_tower = 10
[overload]
target_ms = 60000
"""


@asynccontextmanager
async def limited(folder: Path, limit: int) -> AsyncGenerator[tuple[Running, ScriptedServer]]:
    """A service that lets so many in, with one room on air, whose model server hangs when it is asked for a user."""
    catalog = build_catalog(CONTENT_WIDTH)
    given = settings.parse(f"{SETTINGS}least_in_flight = {limit}\nmost_in_flight = {limit}\n", "the test")
    async with (
        serving({"mmoe": ranker(catalog), "two_tower": two_tower(catalog)}) as models,
        booted(given, folder, [models.target]) as service,
        served(service) as stack,
    ):
        started = Event("start", EventKind.ROOM_STARTED, wall_clock(), room_id="one", streamer_id="anna")
        await stack.client.report([started])
        models.holds["user"] = Hold()
        yield stack, models


async def hang(stack: Running, models: ScriptedServer, count: int) -> list[asyncio.Task[pb.RecommendResponse]]:
    """Asks so many times, one after the other, each when the one before waits for the model server."""
    calls: list[asyncio.Task[pb.RecommendResponse]] = []
    for number in range(count):
        calls.append(asyncio.create_task(stack.client.recommend(f"u{number}", 1)))

        async def arrived(expected: int = number + 1) -> bool:
            return sum(signature == "user" for *_, signature in models.asked) == expected

        await eventually(arrived)
    return calls


async def test_each_rung_is_reached_while_a_model_server_hangs(tmp_path: Path) -> None:
    async with limited(tmp_path, 10) as (stack, models):
        calls = await hang(stack, models, 9)
        hot = await stack.client.recommend("late", 1)
        models.holds["user"].released.set()
        rungs = Counter(pb.Rung.Name(answer.rung) for answer in await asyncio.gather(*calls))
    # Of ten that may run, the sixth finds five in flight, half of them; the last of nine finds eight.
    assert rungs == {"FULL": 5, "FEWER_RANKED": 2, "NO_RERANK": 1, "RECALL_ORDER": 1}
    assert pb.Rung.Name(hot.rung) == "HOT", "it finds nine, and asks no model server"


async def test_one_too_many_is_refused_at_once_and_told_when_to_come_again(tmp_path: Path) -> None:
    async with limited(tmp_path, 1) as (stack, models):
        calls = await hang(stack, models, 1)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stack.client.recommend("late", 1)
        models.holds["user"].released.set()
        await asyncio.gather(*calls)
        answer = await stack.client.recommend("late", 1)
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert dict(refused.value.trailing_metadata() or ())[PUSHBACK] == "60000"
    assert answer.rung == pb.FULL
