"""Tests of the client: no call is lost with a server that ends. Real gRPC."""

import asyncio
import time
from typing import Any

import grpc
import grpc.aio
import pytest

from feature_service.client import FeatureServiceClient
from feature_service.server import SERVICE
from protos.onair.v1 import recommendation_pb2 as pb
from tests.feature_service.name_server import NameServer
from tests.feature_service.running_service import PATIENCE_S

CALLS = 60


class Answering:
    """Answers Recommend at once, and says that it has begun to."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()

    async def recommend(self, request: pb.RecommendRequest, _: Any) -> pb.RecommendResponse:
        self.begun.set()
        return pb.RecommendResponse(request_id=request.request_id)


async def start(answering: Answering, port: int = 0, host: str = "127.0.0.1") -> tuple[grpc.aio.Server, int]:
    """A server on a port, and the port; 0 = one that is free."""
    server = grpc.aio.server()
    handler: Any = grpc.unary_unary_rpc_method_handler(
        answering.recommend, pb.RecommendRequest.FromString, pb.RecommendResponse.SerializeToString
    )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Recommend": handler}),))
    port = server.add_insecure_port(f"{host}:{port}")
    await server.start()
    return server, port


async def test_calls_that_a_server_cancels_as_it_ends_are_answered_by_another() -> None:
    """It takes one call a round of its loop; those that have arrived and wait are cancelled."""
    ends, stays = Answering(), Answering()
    (ending, first), (staying, second) = await start(ends), await start(stays)
    async with FeatureServiceClient(f"ipv4:127.0.0.1:{first},127.0.0.1:{second}", PATIENCE_S) as client:
        while not (ends.begun.is_set() and stays.begun.is_set()):
            await client.recommend("u")  # Until it is connected with both.
        ends.begun.clear()
        calls = [asyncio.create_task(client.recommend("u", request_id=str(n))) for n in range(CALLS)]
        await asyncio.wait_for(ends.begun.wait(), PATIENCE_S)
        await ending.stop(PATIENCE_S)
        answers = await asyncio.gather(*calls)
    await staying.stop(None)
    assert [answer.request_id for answer in answers] == [str(n) for n in range(CALLS)]


async def test_a_server_that_is_back_is_found_before_a_call_is_given_up() -> None:
    """So it does not matter that the other replica ends as soon as this one is back."""
    server, port = await start(Answering())
    async with FeatureServiceClient(f"ipv4:127.0.0.1:{port}", PATIENCE_S) as client:
        await client.recommend("u")
        await server.stop(None)
        with pytest.raises(grpc.aio.AioRpcError, match="UNAVAILABLE"):
            await client.recommend("u")
        server, _ = await start(Answering(), port)
        assert (await client.recommend("u", request_id="1")).request_id == "1"
    await server.stop(None)


async def test_a_replica_that_its_name_stands_for_by_now_is_found_before_a_call_is_given_up() -> None:
    """Pods that are replaced have other addresses; one may go soon after another, and the names were just resolved."""
    first, port = await start(Answering(), host="127.0.0.2")
    async with (
        NameServer("127.0.0.2") as names,
        FeatureServiceClient(f"dns://127.0.0.1:{names.port}/onair:{port}", PATIENCE_S) as client,
    ):
        await client.recommend("u")
        second, _ = await start(Answering(), port, "127.0.0.3")
        names.addresses = ("127.0.0.3",)
        await first.stop(None)
        assert (await client.recommend("u", request_id="1")).request_id == "1"
    await second.stop(None)


class Way:
    """A way to a server, on which nothing comes through any more once it is `shut`, though nobody is told."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._open = asyncio.Event()
        self._open.set()

    def shut(self) -> None:
        self._open.clear()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            await asyncio.gather(self._pass(reader, forth), self._pass(back, writer))
        finally:
            forth.close()
            writer.close()

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(65_536):
            await self._open.wait()
            target.write(data)


@pytest.mark.slow
async def test_calls_leave_a_replica_that_is_gone_without_a_word() -> None:
    (gone, first), (stays, second) = await start(Answering()), await start(Answering())
    way = Way(first)
    async with (
        await asyncio.start_server(way.connected, "127.0.0.1", 0) as between,
        FeatureServiceClient(f"ipv4:127.0.0.1:{between.sockets[0].getsockname()[1]},127.0.0.1:{second}", 0.5) as client,
    ):
        for _ in range(10):
            await client.recommend("u")
        way.shut()
        in_turn, end_s = 0, time.monotonic() + PATIENCE_S
        while in_turn < 10 and time.monotonic() < end_s:
            try:
                await client.recommend("u")
            except grpc.aio.AioRpcError:
                in_turn = 0
            else:
                in_turn += 1
        assert in_turn == 10
        between.close()
    await gone.stop(None)
    await stays.stop(None)
