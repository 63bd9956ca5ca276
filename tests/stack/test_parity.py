"""Train/serve parity: what reaches the model server is what a replay of the log computes, to the byte.

The service is a process of its own; events come all the time, doubled, out of order by minutes, and the service is
killed and started again in the middle.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import grpc
import grpc.aio
import numpy as np
import pytest

from feature_service.client import FeatureServiceClient
from feature_service.clock import wall_clock
from feature_service.features.events import Event, EventKind
from feature_service.features.view import Context
from protos.onair.v1 import recommendation_pb2 as pb
from protos.onair.v1.tfserving_pb2 import PredictRequest
from serving import contract
from serving.client import ModelServerClient
from serving.launch import ModelServer
from tests.stack.proxy import Proxy, proxying
from tests.stack.replayed import Served, TensorBytes, replay
from tests.stack.running_stack import PATIENCE_S, eventually
from tests.stack.service_process import ServiceProcess
from tests.stack.toy_platform import CATEGORIES, SETTINGS, started

pytestmark = pytest.mark.slow

REQUESTS = 100
SLATE = 10
ROOMS_A_CATEGORY = 8
VIEWERS = 30
BATCH = 12
DISORDER_MS = 300_000
MIX = (EventKind.ENTER, EventKind.LEAVE, EventKind.LIKE, EventKind.GIFT, EventKind.FOLLOW)
RECALL_IS_EARLIER = 60
CONTEXT = Context(scene="home", device="phone", network="wifi", region="north")

Strings = dict[str, list[str]]


class Crowd:
    """Events of many viewers: each batch reaches back some minutes, and repeats some of what was sent before."""

    def __init__(self) -> None:
        self._rng = np.random.default_rng(3)
        self._sent: list[Event] = []
        self._unacknowledged: list[Event] = []
        self.rooms = [f"{c}-{n}/now" for c in CATEGORIES for n in range(ROOMS_A_CATEGORY)]

    async def report(self, client: FeatureServiceClient) -> None:
        """Reports without end, or until the service is gone; the next service gets again what was not acknowledged."""
        with suppress(grpc.aio.AioRpcError):
            while True:
                self._unacknowledged = self._unacknowledged or self._batch()
                await client.report(self._unacknowledged)
                self._unacknowledged = []
                await asyncio.sleep(0.005)

    def _batch(self) -> list[Event]:
        new = [self._event(len(self._sent) + n) for n in range(BATCH)]
        repeats = [self._sent[place] for place in self._rng.integers(0, max(len(self._sent), 1), 3) if self._sent]
        self._sent += new
        batch = new + repeats
        return [batch[place] for place in self._rng.permutation(len(batch))]

    def _event(self, number: int) -> Event:
        kind = MIX[int(self._rng.integers(len(MIX)))]
        room = self.rooms[int(self._rng.integers(len(self.rooms)))]
        return Event(
            f"crowd {number}",
            kind,
            wall_clock() - int(self._rng.integers(DISORDER_MS)),
            user_id=f"viewer-{self._rng.integers(VIEWERS)}",
            room_id=room,
            streamer_id=room.partition("/")[0],
            watch_ms=70_000 if kind is EventKind.LEAVE else 0,
            gift_value=2.5 if kind is EventKind.GIFT else 0.0,
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """One answer, and what reached the model server for it."""

    user: str
    answer: pb.RecommendResponse
    ranked: tuple[str, ...]
    towers: list[PredictRequest]
    ranks: list[PredictRequest]

    def served(self, layout: Strings, rooms: tuple[str, ...], before: int = 0) -> Served:
        """What a replay has to build, so many events before the answer's position."""
        return Served(self.answer.log_position - before, self.answer.now_ms, self.user, rooms, CONTEXT, layout)


async def ask(client: FeatureServiceClient, proxy: Proxy, user: str) -> Asked:
    """Asks for an explained slate, alone, so that all calls for users and rankings meanwhile are of this request."""
    proxy.take()
    explained = await client.explain(user, SLATE, context=CONTEXT)
    captured = proxy.take(contract.USER, contract.SERVING_DEFAULT)
    ranked = tuple(each.room_id for each in explained.trace.candidates if not each.dropped_by)
    towers = [each for each in captured if each.model_spec.name == "two_tower"]
    return Asked(user, explained.answer, ranked, towers, [each for each in captured if each.model_spec.name == "mmoe"])


async def asked_while_events_come(service: ServiceProcess, proxy: Proxy, crowd: Crowd) -> list[Asked]:
    """Half of the requests, one after the other; then the service is killed while events come."""
    async with FeatureServiceClient(service.target, PATIENCE_S) as client:
        starts = [started(room, room.partition("-")[0], wall_clock() - 600_000) for room in crowd.rooms]
        await client.report(starts)
        await ready(client)
        reporting = asyncio.create_task(crowd.report(client))
        asked = [await ask(client, proxy, f"viewer-{n % VIEWERS}") for n in range(REQUESTS // 2)]
        service.kill()
        await reporting
    return asked


async def ready(client: FeatureServiceClient) -> None:
    """Waits until both models serve and nothing is degraded."""

    async def complete() -> bool:
        answer = await client.recommend("viewer-0", SLATE)
        return len(answer.model_versions) == 2 and not answer.degraded and len(answer.rooms) == SLATE

    await eventually(complete)


async def layout_of(server: ModelServer, model: str, version: int) -> Strings:
    async with ModelServerClient(server.target) as client:
        probe = {"probe": np.zeros(1, np.int32)}
        answer = await client.predict(model, probe, signature=contract.LAYOUT, version=version, timeout_s=PATIENCE_S)
    return {name: [text.decode() for text in rows[0].tolist()] for name, rows in answer.outputs.items()}


def same(request: PredictRequest, replayed: TensorBytes) -> bool:
    """Whether all tensors of a request are what a replay computed, byte for byte."""
    return all(tensor.tensor_content == replayed[name] for name, tensor in request.inputs.items())


@pytest.fixture(scope="module")
def served(model_server: ModelServer, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Asked], Path]:
    """All answers of a service that was killed and started again in the middle, and its log."""
    folder, crowd = tmp_path_factory.mktemp("parity"), Crowd()
    asked: list[Asked] = []
    with proxying(model_server.target) as proxy:
        for _ in range(2):
            with ServiceProcess(folder, targets=[proxy.address], settings=SETTINGS) as service:
                asked += asyncio.run(asked_while_events_come(service, proxy, crowd))
    assert sum(len(each.answer.rooms) for each in asked) == REQUESTS * SLATE
    assert [each.answer.degraded for each in asked if each.answer.degraded] == []
    assert {(len(each.towers), len(each.ranks)) for each in asked} == {(1, 1)}
    assert len({each.answer.log_position for each in asked}) > REQUESTS / 4  # Events did come meanwhile.
    return asked, folder / "data" / "log"


def test_ranked_tensors_are_what_a_replay_of_the_log_computes(
    served: tuple[list[Asked], Path], model_server: ModelServer
) -> None:
    asked, log = served
    layout = asyncio.run(layout_of(model_server, "mmoe", asked[0].answer.model_versions["mmoe"]))
    replayed = replay(log, len(CATEGORIES), [each.served(layout, each.ranked) for each in asked])
    pairs = zip(asked, replayed, strict=True)
    assert [each.user for each, tensors in pairs if not same(each.ranks[0], tensors)] == []
    # The comparison would see a difference: one event earlier, not all tensors are the same.
    earlier = replay(log, len(CATEGORIES), [each.served(layout, each.ranked, before=1) for each in asked])
    assert not all(same(each.ranks[0], tensors) for each, tensors in zip(asked, earlier, strict=True))


def test_user_tensors_of_recall_are_what_a_replay_of_the_log_computes(
    served: tuple[list[Asked], Path], model_server: ModelServer
) -> None:
    asked, log = served
    layout = asyncio.run(layout_of(model_server, "two_tower", asked[0].answer.model_versions["two_tower"]))
    # Recall comes before ranking, whose position the answer states: a few events may have come between the two.
    positions = [each.served(layout, (), before) for each in asked for before in range(RECALL_IS_EARLIER)]
    replayed = replay(log, len(CATEGORIES), positions)
    places = range(0, len(replayed), RECALL_IS_EARLIER)
    near = [replayed[place : place + RECALL_IS_EARLIER] for place in places]
    pairs = zip(asked, near, strict=True)
    assert [each.user for each, some in pairs if not any(same(each.towers[0], tensors) for tensors in some)] == []
