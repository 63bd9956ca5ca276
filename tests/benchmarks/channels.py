"""What each recall channel adds to Recommend: all channels beside all but one, in turns.

The world and the ranker are those of `recommend`; every recall model serves, with random tables of its real size.
"""

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from feature_service import settings
from feature_service.client import FeatureServiceClient
from feature_service.clock import wall_clock
from feature_service.features.catalog import build_catalog
from tests.benchmarks.load import Ask, alternated
from tests.benchmarks.processes import SETTINGS, ServiceProcess, running_reference_models, running_service
from tests.benchmarks.world import CONTENT_WIDTH, Size, viewer_id, write_world

SLATE = 20
PATIENCE_S = 30.0
ALL = "all"
RECALL_MODELS = ("two_tower", "item_cf", "mf", "neumf")


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured.

    Attributes:
        size: The world.
        rounds: Turns of each thing that is compared.
        seconds: Length of a turn.
    """

    size: Size = field(default_factory=Size)
    rounds: int = 20
    seconds: float = 0.3


@dataclass(frozen=True, slots=True)
class Added:
    """What a channel costs and brings.

    Attributes:
        channel: Its name.
        adds_ms: Median latency with all channels, less that without this one.
        span_ms: How long it worked on a request, the wait for its model server included; median.
        found: Rooms that it found; median.
        candidates: Of the ranked candidates, those that it alone found; median.
    """

    channel: str
    adds_ms: float
    span_ms: float
    found: float
    candidates: float


def measure(plan: Plan, folder: Path, tell: Callable[[str], None]) -> dict[str, Any]:
    """Sets all of it up, measures, and takes it down again."""
    tell(f"writing a world of {plan.size.rooms:,} live rooms")
    write_world(folder / "data", build_catalog(CONTENT_WIDTH), plan.size, wall_clock())
    tell("exporting and serving the reference models, every recall model among them")
    with running_reference_models(folder, ("mmoe", *RECALL_MODELS)) as models:
        tell("starting the service, which embeds every room")
        with running_service(folder / "service", folder / "data", [models.target], _scenes()) as service:
            return asyncio.run(_measure(plan, service, tell))


def _scenes() -> str:
    """The default settings with a scene of all channels, and one without each."""
    quotas = settings.load(None).scene("").channels
    tables = {ALL: quotas}
    tables |= {_without(left): {name: quota for name, quota in quotas.items() if name != left} for left in quotas}
    scenes = [
        f"[scenes.{scene}]\n[scenes.{scene}.channels]\n"
        + "".join(f"{name} = {quota}\n" for name, quota in table.items())
        for scene, table in tables.items()
    ]
    return SETTINGS + "".join(scenes)


def _without(channel: str) -> str:
    return f"without_{channel}"


async def _measure(plan: Plan, service: ServiceProcess, tell: Callable[[str], None]) -> dict[str, Any]:
    async with FeatureServiceClient(service.address, PATIENCE_S) as client:
        channels = list(settings.load(None).scene("").channels)
        whole = _ask(client, plan.size, ALL)
        for number in range(plan.size.viewers):
            await whole(number)  # The viewers' records come from the store.
        spans, found, alone = await _explained(client, plan.size, channels)
        added: list[Added] = []
        for channel in channels:
            tell(f"with and without {channel}")
            asks = [whole, _ask(client, plan.size, _without(channel))]
            both, less = await alternated(asks, clients=1, rounds=plan.rounds, seconds=plan.seconds)
            added.append(Added(channel, both.p50_ms - less.p50_ms, spans[channel], found[channel], alone[channel]))
        return {
            "rooms": plan.size.rooms,
            "p50_ms": both.p50_ms,
            "channels": [asdict(each) for each in added],
        }


def _ask(client: FeatureServiceClient, size: Size, scene: str) -> Ask:
    async def ask(number: int) -> None:
        answer = await client.recommend(viewer_id(number % size.viewers), SLATE, scene=scene)
        if answer.degraded or len(answer.rooms) != SLATE:
            raise RuntimeError(f"expected {SLATE} rooms and nothing degraded, received {answer}")

    return ask


async def _explained(
    client: FeatureServiceClient, size: Size, channels: list[str]
) -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
    """Of each channel: milliseconds of work, rooms found, and candidates that no other found; medians."""
    rows: list[list[tuple[float, int, int]]] = []
    for number in range(min(size.viewers, 40)):
        trace = (await client.explain(viewer_id(number), SLATE, scene=ALL)).trace
        spans = {each.stage: each.duration_ms for each in trace.stages}
        sole = [each.channels[0].channel for each in trace.candidates if len(each.channels) == 1]
        rows.append([(spans[f"recall.{name}"], trace.retrieved[name], sole.count(name)) for name in channels])
    medians = np.median(np.array(rows), axis=0)
    span, found, alone = (dict(zip(channels, medians[:, column].tolist(), strict=True)) for column in range(3))
    return span, found, alone
