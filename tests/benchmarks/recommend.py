"""Recommend under load, beside the same Predict calls sent bare, and what the service itself takes, stage by stage.

Three processes: the model server with the reference models, the service, and this one, which asks. A bare call sends
the ready bytes of the two Predicts behind a slate, the user tower's and then the ranker's, for the same user and rooms.
The service's own time is the difference of the medians at one client; the call from here to the service is part of it.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import grpc.aio
import numpy as np

from feature_service.client import FeatureServiceClient
from feature_service.clock import wall_clock
from feature_service.features.catalog import build_catalog
from feature_service.features.layout import HISTORY_FLOATS, HISTORY_IDS, USER_FLOATS, USER_IDS
from protos.onair.v1 import recommendation_pb2 as pb
from serving import contract
from serving.client import predict_request
from tests.benchmarks.load import Ask, Latency, alternated
from tests.benchmarks.processes import ServiceProcess, running_reference_models, running_service
from tests.benchmarks.world import CONTENT_WIDTH, Size, viewer_id, write_world

SLATE = 20
PATIENCE_S = 30.0
_SHORT = 8  # At one client the turns are so many times shorter, so that what slows the machine for a second meets all.
USER_TENSORS = (USER_FLOATS, USER_IDS, HISTORY_FLOATS, HISTORY_IDS)


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured.

    Attributes:
        size: The world.
        clients: Numbers of clients; the first is 1.
        rounds: Turns of each thing that is compared.
        seconds: Length of a turn.
    """

    size: Size = field(default_factory=Size)
    clients: tuple[int, ...] = (1, 8, 32)
    rounds: int = 5
    seconds: float = 2.0


def measure(plan: Plan, folder: Path, tell: Callable[[str], None]) -> dict[str, Any]:
    """Sets all of it up, measures, and takes it down again."""
    tell(f"writing a world of {plan.size.rooms:,} live rooms")
    write_world(folder / "data", build_catalog(CONTENT_WIDTH), plan.size, wall_clock())
    tell("exporting and serving the reference models")
    with running_reference_models(folder) as models:
        tell("starting the service, which embeds every room")
        with running_service(folder / "service", folder / "data", [models.target]) as service:
            return asyncio.run(_measure(plan, service, models.target, tell))


async def _measure(plan: Plan, service: ServiceProcess, target: str, tell: Callable[[str], None]) -> dict[str, Any]:
    async with (
        FeatureServiceClient(service.address, PATIENCE_S) as client,
        grpc.aio.insecure_channel(target, options=[("grpc.max_receive_message_length", -1)]) as channel,
    ):
        captured = await _capture(client)
        recommend, tower, ranker = _recommend(client, plan.size), *_predicts(channel, captured)

        async def bare(number: int) -> None:
            await tower(number)
            await ranker(number)

        tell("each viewer's first request, whose records come from the store")
        first_ms = await _first(recommend, plan.size)
        tell("1 client: Recommend, both Predicts bare, each of them, and the stages by Explain")
        taken, explain = _explain(client, plan.size)
        asks = [recommend, bare, tower, ranker, explain]
        short = plan.seconds / _SHORT
        single = await alternated(asks, clients=1, rounds=plan.rounds * _SHORT, seconds=short)
        stages = {stage: float(np.median(values)) for stage, values in taken.items()}
        cpu_before_s = service.cpu_s()
        alone = await alternated([recommend], clients=1, rounds=1, seconds=plan.seconds)
        cpu_ms = (service.cpu_s() - cpu_before_s) * 1000 / alone[0].requests
        levels = [(single[0], single[1])]
        for clients in plan.clients[1:]:
            tell(f"{clients} clients: Recommend, both Predicts bare")
            rounds = max(plan.rounds // 2, 1)
            pair = await alternated([recommend, bare], clients=clients, rounds=rounds, seconds=plan.seconds)
            levels.append((pair[0], pair[1]))
        return {
            "rooms": plan.size.rooms,
            "ranked": captured.ranked,
            "slate": SLATE,
            "start_with_models_s": service.start_s,
            "first_request_p50_ms": first_ms,
            "levels": [_level(*level) for level in levels],
            "own": _own(single, stages, cpu_ms),
        }


@dataclass(frozen=True, slots=True)
class _Captured:
    """The two Predicts behind one slate, serialised, and how many candidates the ranker gets."""

    user_tower: bytes
    ranker: bytes
    ranked: int


async def _capture(client: FeatureServiceClient) -> _Captured:
    """The requests that the service sends for a viewer, of the tensors that it says it builds."""
    explained = await client.explain(viewer_id(0), SLATE)
    versions, candidates = explained.answer.model_versions, explained.trace.candidates
    ranked = [each.room_id for each in candidates if not each.dropped_by]
    features = {name: await client.features(viewer_id(0), ranked, model=name) for name in ("mmoe", "two_tower")}
    user = _tensors(features["two_tower"])
    tower = predict_request(
        "two_tower",
        {name: tensor for name, tensor in user.items() if name in USER_TENSORS},
        signature=contract.USER,
        version=versions["two_tower"],
        outputs=("vector",),
    )
    ranker = predict_request("mmoe", _tensors(features["mmoe"]), version=versions["mmoe"], outputs=("predictions",))
    return _Captured(tower.SerializeToString(), ranker.SerializeToString(), len(ranked))


def _tensors(answer: pb.GetFeaturesResponse) -> dict[str, np.ndarray]:
    return {each.name: np.frombuffer(each.content, each.dtype).reshape(tuple(each.shape)) for each in answer.tensors}


def _recommend(client: FeatureServiceClient, size: Size) -> Ask:
    async def ask(number: int) -> None:
        answer = await client.recommend(viewer_id(number % size.viewers), SLATE)
        if answer.degraded or len(answer.rooms) != SLATE:
            raise RuntimeError(f"expected {SLATE} rooms and nothing degraded, received {answer}")

    return ask


def _predicts(channel: grpc.aio.Channel, captured: _Captured) -> tuple[Ask, Ask]:
    call: Any = channel.unary_unary(contract.PREDICT)

    async def tower(number: int) -> None:
        await call(captured.user_tower, timeout=PATIENCE_S)

    async def ranker(number: int) -> None:
        await call(captured.ranker, timeout=PATIENCE_S)

    return tower, ranker


async def _first(recommend: Ask, size: Size) -> float:
    """Median latency of each viewer's first request, milliseconds; afterwards all of them are in memory."""
    taken_s: list[float] = []
    for number in range(size.viewers):
        sent_s = time.perf_counter()
        await recommend(number)
        taken_s.append(time.perf_counter() - sent_s)
    return float(np.median(taken_s)) * 1000


def _explain(client: FeatureServiceClient, size: Size) -> tuple[dict[str, list[float]], Ask]:
    """What asks for an explained answer, and where it puts the milliseconds of each stage."""
    taken: dict[str, list[float]] = {}

    async def ask(number: int) -> None:
        for stage in (await client.explain(viewer_id(number % size.viewers), SLATE)).trace.stages:
            taken.setdefault(stage.stage, []).append(stage.duration_ms)

    return taken, ask


def _level(recommend: Latency, bare: Latency) -> dict[str, Any]:
    return {"recommend": asdict(recommend), "bare": asdict(bare), "p50_ratio": recommend.p50_ms / bare.p50_ms}


def _own(single: Sequence[Latency], stages: Mapping[str, float], cpu_ms: float) -> dict[str, Any]:
    """The service's own time; what waits for a Predict is told without it; channels are parts of recall."""
    recommend, bare, tower, ranker = (each.p50_ms for each in single[:4])
    waits = {"recall": tower, "rank": ranker}
    own_stages = {stage: taken - waits.get(stage, 0.0) for stage, taken in stages.items() if "." not in stage}
    own = recommend - bare
    return {
        "own_ms": own,
        "own_time_ratio": own / ranker,
        "ranker_predict_ms": ranker,
        "user_tower_predict_ms": tower,
        "stages_ms": own_stages,
        "transport_ms": own - sum(own_stages.values()),
        "service_cpu_ms": cpu_ms,
    }
