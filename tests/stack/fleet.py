"""A fleet: two services behind two model servers, each a process, and a load that asks and reports all the time."""

import asyncio
import itertools
from collections.abc import AsyncGenerator, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import grpc.aio

from feature_service.client import FeatureServiceClient
from feature_service.clock import wall_clock
from feature_service.features.events import Event, EventKind
from protos.onair.v1 import recommendation_pb2 as pb
from serving.launch import ModelServer, free_port, start_model_server
from tests.feature_service.redis_process import RedisProcess, made
from tests.stack import toy_platform
from tests.stack.running_stack import PATIENCE_S, eventually
from tests.stack.service_process import ServiceProcess
from tests.stack.toy_platform import CATEGORIES, started
from training.demo import write_models_config

MODELS = ("two_tower", "mmoe")
ASKERS, REPORTERS = 4, 2


class Fleet:
    """Two model servers, the service that writes, and a replica beside it; each a process on a port that stays."""

    def __init__(self, folder: Path, published: Path, stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack
        self._config = folder / "models.config"
        write_models_config({name: published / "models" / name for name in MODELS}, self._config)
        self._redis = stack.enter_context(RedisProcess(folder / "redis"))
        self._model_ports = [free_port() for _ in range(2)]
        self._ports = {"writer": free_port(), "replica": free_port()}
        self.model_servers = [self._start_model_server(number) for number in range(2)]
        self.services: dict[str, ServiceProcess] = {}

    @property
    def addresses(self) -> str:
        """Of both services, for a client."""
        return "ipv4:" + ",".join(f"127.0.0.1:{port}" for port in self._ports.values())

    async def start(self) -> None:
        """Starts the services, and waits until both rank rooms; the replica needs the store that a checkpoint makes."""
        self.start_service("writer")
        await made(self._redis)
        self.start_service("replica")
        rooms = [started(f"{category}-{n}/now", category, wall_clock()) for category in CATEGORIES for n in range(4)]
        async with FeatureServiceClient(self.addresses, PATIENCE_S) as client:
            await client.report(rooms)
        await eventually(lambda: self._shows(len(rooms)))

    def start_service(self, name: str) -> None:
        settings = f'{toy_platform.SETTINGS}[store]\naddress = "{self._redis.address}"\n'
        arguments = ["--address", f"127.0.0.1:{self._ports[name]}"]
        if name == "replica":
            arguments += ["--replica-of", f"127.0.0.1:{self._ports['writer']}"]
        targets = [server.target for server in self.model_servers]
        service = ServiceProcess(self._folder / name, *arguments, targets=targets, settings=settings)
        self.services[name] = self._stack.enter_context(service)

    def restart_service(self, name: str) -> None:
        assert self.services[name].stop() == 0
        self.start_service(name)

    def restart_model_server(self, number: int) -> None:
        self.model_servers[number].stop()
        self.model_servers[number] = self._start_model_server(number)

    async def _shows(self, count: int) -> bool:
        """Whether every service ranks all rooms by a model."""
        for service in self.services.values():
            async with FeatureServiceClient(service.target, PATIENCE_S) as client:
                trace = (await client.explain("viewer-0", 5)).trace
                if trace.ranker != "mmoe" or sum(bool(each.terms) for each in trace.candidates) < count // 2:
                    return False
        return True

    def _start_model_server(self, number: int) -> ModelServer:
        flags = {
            "port": self._model_ports[number],
            "model_config_file": self._config,
            "file_system_poll_wait_seconds": 1,
        }
        return self._stack.enter_context(
            start_model_server(flags, log_path=self._folder / f"model_server-{number}.log")
        )


class Load:
    """Asks and reports all the time, through one client of both services."""

    def __init__(self, client: FeatureServiceClient) -> None:
        self.answered = self.reported = self.ranked = 0
        self.failures: list[str] = []
        self._client = client
        self._numbers = itertools.count()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Runs it meanwhile."""
        tasks = [asyncio.create_task(self._keep(self._ask)) for _ in range(ASKERS)]
        tasks += [asyncio.create_task(self._keep(self._report)) for _ in range(REPORTERS)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            for task in tasks:
                with suppress(asyncio.CancelledError):
                    await task

    async def goes_on(self, answers: int = 10) -> None:
        """Waits for some more answers of each kind."""
        answered, reported = self.answered, self.reported

        async def more() -> bool:
            return self.answered > answered + answers and self.reported > reported + 2

        await eventually(more)

    async def _keep(self, once: Callable[[], Any]) -> None:
        while True:
            try:
                await once()
            except grpc.aio.AioRpcError as error:
                self.failures.append(f"{once.__name__}: {error.code().name}: {error.details()}")
                await asyncio.sleep(0.05)

    async def _ask(self) -> None:
        answer = await self._client.recommend(f"viewer-{next(self._numbers) % 7}", 5)
        assert answer.rooms
        self.answered += 1
        self.ranked += answer.rung not in {pb.RECALL_ORDER, pb.HOT}

    async def _report(self) -> None:
        number = next(self._numbers)
        room = f"{CATEGORIES[0]}-0/now"
        seen = Event(
            f"enter-{number}",
            EventKind.ENTER,
            wall_clock(),
            user_id=f"viewer-{number % 7}",
            room_id=room,
            streamer_id=room.partition("/")[0],
        )
        await self._client.report([seen], wait=True)
        self.reported += 1


@asynccontextmanager
async def under_load(folder: Path, published: Path, deadline_s: float) -> AsyncGenerator[tuple[Fleet, Load]]:
    """A fleet that has answered some of a load's requests, each with that deadline; the load goes on meanwhile."""
    with ExitStack() as stack:
        fleet = await asyncio.to_thread(Fleet, folder, published, stack)
        await fleet.start()
        async with FeatureServiceClient(fleet.addresses, deadline_s) as client:
            load = Load(client)
            async with load.running():
                await load.goes_on()
                yield fleet, load
