"""The writer, Redis or a replica is killed under load: the others answer, nothing acknowledged is lost or doubled."""

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from feature_service.boot import LOG_FOLDER
from feature_service.client import FeatureServiceClient
from feature_service.clock import wall_clock
from feature_service.features.events import Event, EventKind
from feature_service.log.reader import read_log
from protos.onair.v1 import recommendation_pb2 as pb
from tests.feature_service.redis_process import RedisProcess, made, needs_redis
from tests.stack.running_stack import PATIENCE_S, eventually
from tests.stack.service_process import ServiceProcess

pytestmark = [pytest.mark.slow, needs_redis]

ROOMS, USERS = 8, 20
BATCH = 10
ENOUGH = 300
"""Acknowledged events before a kill, and as many after it."""


def event(number: int) -> Event:
    """The event of a number: first the rooms start, then viewers come."""
    streamer, now_ms = f"streamer-{number % ROOMS}", wall_clock()
    fields: dict[str, Any] = {"room_id": f"{streamer}/1", "streamer_id": streamer}
    if number < ROOMS:
        return Event(f"e{number}", EventKind.ROOM_STARTED, now_ms, lease_ms=3_600_000, **fields)
    kind = (EventKind.ENTER, EventKind.LIKE, EventKind.SHARE)[number % 3]
    return Event(f"e{number}", kind, now_ms, user_id=f"user-{number % USERS}", **fields)


class Platform:
    """Redis, a writer and two replicas, each a process of its own."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.log, self._folder, self._stack = folder / "writer" / "data" / LOG_FOLDER, folder, stack
        self.redis = stack.enter_context(RedisProcess(folder / "redis"))
        self._settings = f'[service]\ncontent_width = 2\n[store]\naddress = "{self.redis.address}"\n'
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._address = f"127.0.0.1:{free.getsockname()[1]}"

    async def start(self) -> None:
        """Starts all; replicas need the store, which the first checkpoint makes."""
        self.start_writer()
        await made(self.redis)
        self.replicas = [self._start(f"replica-{number}", "--replica-of", self._address) for number in range(2)]

    def start_writer(self) -> None:
        """On the address that replicas know."""
        self.writer = self._start("writer", "--address", self._address)

    def _start(self, name: str, *arguments: str) -> ServiceProcess:
        return self._stack.enter_context(ServiceProcess(self._folder / name, *arguments, settings=self._settings))


class Load:
    """Reports events to a replica all the time, each batch until it is acknowledged, and asks for slates."""

    def __init__(self, client: FeatureServiceClient) -> None:
        self.acknowledged: set[str] = set()
        self.refusals: set[str] = set()
        self.degraded: set[str] = set()
        self._client = client

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Runs it meanwhile."""
        await self._take(range(ROOMS))
        await eventually(self._all_shown)
        working = [asyncio.create_task(each) for each in (self._report(), self._ask())]
        try:
            yield
        finally:
            for task in working:
                task.cancel()
            done = await asyncio.gather(*working, return_exceptions=True)
        assert all(isinstance(each, asyncio.CancelledError) for each in done), done

    async def enough(self) -> None:
        """Waits until so many more events are acknowledged."""
        wanted = len(self.acknowledged) + ENOUGH

        async def there() -> bool:
            return len(self.acknowledged) >= wanted

        await eventually(there)

    async def _report(self) -> None:
        for first in itertools.count(ROOMS, BATCH):
            while True:
                try:
                    await self._take(range(first, first + BATCH))
                    break
                except grpc.aio.AioRpcError as error:
                    assert error.code() is grpc.StatusCode.UNAVAILABLE, error  # noqa: PT017
                    self.refusals.add(error.details() or "")

    async def _take(self, numbers: range) -> None:
        for result in await self._client.report([event(number) for number in numbers]):
            assert result.acceptance in (pb.ACCEPTED, pb.DUPLICATE), result
            self.acknowledged.add(result.event_id)

    async def _ask(self) -> None:
        for number in itertools.count():
            answer = await self._client.recommend(f"user-{number % USERS}")
            assert len(answer.rooms) == ROOMS
            self.degraded |= {each.stage for each in answer.degraded} - {"rank"}  # There is no ranker.
            await asyncio.sleep(0.01)

    async def _all_shown(self) -> bool:
        return len((await self._client.recommend("somebody")).rooms) == ROOMS


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[Platform]:
    with ExitStack() as stack:
        platform = Platform(tmp_path, stack)
        await platform.start()
        yield platform


async def assert_level(platform: Platform, load: Load) -> None:
    """All that was acknowledged is in the log once, and every service has come to its end."""
    clients = [FeatureServiceClient(each.target, PATIENCE_S) for each in (platform.writer, *platform.replicas)]

    async def level() -> bool:
        answers = [await client.recommend("user-0") for client in clients]
        return {each.log_position for each in answers} == {len(list(read_log(platform.log, 0)))}

    await eventually(level)
    for client in clients:
        await client.close()
    logged = [each.event_id for _, each in read_log(platform.log, 0)]
    assert len(logged) == len(set(logged))
    assert load.acknowledged <= set(logged)


async def test_replicas_answer_while_the_writer_is_dead_and_take_reports_once_it_is_back(platform: Platform) -> None:
    async with FeatureServiceClient(platform.replicas[0].target, PATIENCE_S) as client:
        load = Load(client)
        async with load.running():
            await load.enough()
            platform.writer.kill()

            async def refused() -> bool:
                return bool(load.refusals)

            await eventually(refused)
            await asyncio.to_thread(platform.start_writer)
            await load.enough()
        assert all("the writer 127.0.0.1:" in each for each in load.refusals)
        assert load.degraded == set()
        await assert_level(platform, load)


async def test_replicas_answer_while_redis_is_dead_and_follow_it_once_it_is_filled_again(platform: Platform) -> None:
    async with FeatureServiceClient(platform.replicas[0].target, PATIENCE_S) as client:
        load = Load(client)
        async with load.running():
            await load.enough()
            platform.redis.kill()

            async def said() -> bool:
                return "changes" in load.degraded

            await eventually(said)
            await asyncio.to_thread(platform.redis.start)
            await load.enough()
        assert load.degraded <= {"changes", "store"}
        await assert_level(platform, load)


async def test_a_replica_that_is_killed_disturbs_nobody_else(platform: Platform) -> None:
    async with FeatureServiceClient(platform.replicas[0].target, PATIENCE_S) as client:
        load = Load(client)
        async with load.running():
            await load.enough()
            platform.replicas.pop().kill()
            await load.enough()
        assert load.refusals == load.degraded == set()
        await assert_level(platform, load)
