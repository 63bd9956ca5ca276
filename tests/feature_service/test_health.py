"""Tests of health and of the end of a server: who is told to ask, and that nothing in flight is lost."""

import asyncio
from pathlib import Path
from typing import Any

import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from feature_service.boot import booted
from feature_service.client import FeatureServiceClient
from feature_service.clock import wall_clock
from feature_service.features.catalog import build_catalog
from feature_service.features.events import Event, EventKind
from feature_service.overload.ladder import Rung
from feature_service.server import SERVICE, start_server
from protos.onair.v1 import recommendation_pb2 as pb
from serving.launch import free_port
from tests.feature_service.live_platform import CONTENT_WIDTH
from tests.feature_service.running_service import PATIENCE_S, lean_settings, running
from tests.feature_service.scripted_model_server import Hold, ranker, serving

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


async def health(target: str, name: str) -> int:
    """What the server says of a name."""
    async with grpc.aio.insecure_channel(target) as channel:
        request = health_pb2.HealthCheckRequest(service=name)
        stub: Any = health_pb2_grpc.HealthStub(channel)
        return (await stub.Check(request, timeout=PATIENCE_S)).status


async def becomes(target: str, name: str, wanted: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while await health(target, name) != wanted:  # noqa: ASYNC110 - health of another process has no event
            await asyncio.sleep(0.02)


async def test_without_a_model_server_it_is_ready_at_once(tmp_path: Path) -> None:
    async with running(tmp_path) as stack:
        assert await health(stack.target, "") == SERVING
        assert await health(stack.target, SERVICE) == SERVING


async def test_it_lives_but_should_not_be_asked_until_the_ranker_serves(tmp_path: Path) -> None:
    async with serving({}) as server, running(tmp_path, [server.target]) as stack:
        assert await health(stack.target, "") == SERVING
        assert await health(stack.target, SERVICE) == NOT_SERVING
        server.models["mmoe"] = ranker(build_catalog(CONTENT_WIDTH))
        await becomes(stack.target, SERVICE, SERVING)


async def test_it_should_be_asked_after_a_while_even_when_no_model_serves(tmp_path: Path) -> None:
    async with running(tmp_path, [f"127.0.0.1:{free_port()}"], more="ready_s = 0.05\n") as stack:
        await becomes(stack.target, SERVICE, SERVING)


async def test_when_it_ends_it_says_so_answers_on_and_what_is_in_flight_finishes(tmp_path: Path) -> None:
    async with (
        serving({"mmoe": ranker(build_catalog(CONTENT_WIDTH))}) as models,
        booted(lean_settings(), tmp_path, [models.target]) as service,
    ):
        server, port = await start_server(service, f"127.0.0.1:{free_port()}")
        target = f"127.0.0.1:{port}"
        async with FeatureServiceClient(target, PATIENCE_S) as client:
            await client.report(
                [Event("start", EventKind.ROOM_STARTED, wall_clock(), room_id="one", streamer_id="anna")]
            )
            hold = models.holds["mmoe"] = Hold()
            in_flight = asyncio.create_task(client.recommend("u", 1))
            await asyncio.wait_for(hold.arrived.wait(), PATIENCE_S)
            ending = asyncio.create_task(server.stop(PATIENCE_S, drain_s=1.0))
            await becomes(target, SERVICE, NOT_SERVING)
            assert await health(target, "") == NOT_SERVING
            del models.holds["mmoe"]
            assert (await client.recommend("u", 1)).rooms, "balancers may not have heard of it yet"
            hold.released.set()
            answer = await in_flight
            await asyncio.wait_for(ending, PATIENCE_S)
    assert [room.room_id for room in answer.rooms] == ["one"]
    assert answer.rung == pb.FULL == Rung.FULL
