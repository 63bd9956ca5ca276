"""A service with every recall model: each finds its own, and one that fails or hangs costs only what it alone found."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import numpy as np
import pytest

from feature_service.client import FeatureServiceClient
from feature_service.clock import wall_clock
from feature_service.features.catalog import build_catalog
from feature_service.features.events import Event, EventKind
from feature_service.recall import CHANNELS
from protos.onair.v1 import recommendation_pb2 as pb
from serving import contract
from tests.feature_service.live_platform import CONTENT_WIDTH
from tests.feature_service.recall.served_channels import neighbours, pair_scorer, vector_model
from tests.feature_service.running_service import Running, running
from tests.feature_service.scripted_model_server import Hold, ScriptedModel, ScriptedServer, serving

STREAMERS = ("anna", "ben", "cleo")
MODELS = {"two_tower", "item_cf", "mf", "neumf"}
SETTINGS = """
channel_share = 0.5
[scene]
ranker = ""
[scenes.items.channels]
item_cf = 10
"""


def _models() -> Mapping[str, ScriptedModel]:
    """Vector models and the scorer of pairs find every room; item-CF finds ben's, for anna's sake."""
    catalog = build_catalog(CONTENT_WIDTH)
    return {
        "two_tower": vector_model(catalog, (1, 0)),
        "mf": vector_model(catalog, (0.5, 0)),
        "item_cf": neighbours(catalog, {"ben": (0.9, "anna")}),
        "neumf": pair_scorer(catalog, {"cleo": 0.9}),
    }


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[tuple[Running, ScriptedServer]]:
    """Three rooms on air, and a viewer who has watched anna."""
    now_ms = wall_clock()
    events = [
        Event(f"s {each}", EventKind.ROOM_STARTED, now_ms, room_id=f"{each}/1", streamer_id=each) for each in STREAMERS
    ]
    events.append(Event("enter", EventKind.ENTER, now_ms, room_id="anna/1", streamer_id="anna", user_id="viewer"))
    async with running(tmp_path / "data") as first:
        await first.client.report(events)
    async with serving(dict(_models())) as server, running(tmp_path / "data", [server.target], more=SETTINGS) as stack:
        yield stack, server


def _found(trace: pb.Trace) -> dict[str, set[str]]:
    """The rooms that each channel found."""
    found: dict[str, set[str]] = {}
    for candidate in trace.candidates:
        for hit in candidate.channels:
            found.setdefault(hit.channel, set()).add(candidate.room_id)
    return found


async def test_every_model_that_a_channel_asks_serves(stack: tuple[Running, ScriptedServer]) -> None:
    assert set((await stack[0].client.recommend("viewer")).model_versions) == MODELS


async def test_every_model_finds_rooms_and_the_trace_tells_when_it_was_asked(
    stack: tuple[Running, ScriptedServer],
) -> None:
    answer = await stack[0].client.explain("viewer")
    found = _found(answer.trace)
    rooms = {f"{each}/1" for each in STREAMERS}
    assert {name: found[name] for name in MODELS} == {
        "two_tower": rooms,
        "mf": rooms,
        "item_cf": {"ben/1"},
        "neumf": rooms,
    }
    assert not answer.answer.degraded
    assert {f"recall.{name}" for name in CHANNELS} <= {each.stage for each in answer.trace.stages}


async def test_room_that_a_neighbour_brought_says_because_of_whom(stack: tuple[Running, ScriptedServer]) -> None:
    rooms = (await stack[0].client.recommend("viewer", scene="items")).rooms
    reasons = {room.room_id: room.reason for room in rooms}
    assert reasons == {"ben/1": "because you watched anna"}


@pytest.mark.parametrize("broken", sorted(MODELS))
async def test_model_that_fails_costs_only_its_candidates(stack: tuple[Running, ScriptedServer], broken: str) -> None:
    running_service, server = stack
    signature = contract.USER if contract.USER in server.models[broken].compute else contract.SERVING_DEFAULT
    server.models[broken].compute[signature] = lambda version, inputs: np.zeros((0, 7), np.float32)
    answer = await running_service.client.explain("viewer")
    assert set(_found(answer.trace)) & MODELS == MODELS - {broken}
    assert [each.stage for each in answer.answer.degraded] == [f"recall.{broken}"]


@pytest.mark.parametrize("hanging", sorted(MODELS))
async def test_model_that_hangs_costs_only_its_candidates(stack: tuple[Running, ScriptedServer], hanging: str) -> None:
    running_service, server = stack
    server.holds[hanging] = Hold()
    async with FeatureServiceClient(running_service.target, 2.0) as client:
        answer = await client.explain("viewer")
    assert set(_found(answer.trace)) & MODELS == MODELS - {hanging}
    assert [(each.stage, each.cause) for each in answer.answer.degraded] == [(f"recall.{hanging}", "late")]


async def test_model_server_that_is_gone_costs_only_what_models_find(stack: tuple[Running, ScriptedServer]) -> None:
    running_service, server = stack
    server.models.clear()
    answer = await running_service.client.explain("viewer")
    assert set(_found(answer.trace)) == {"watched", "hot", "fresh"}
    assert {each.stage for each in answer.answer.degraded} == {f"recall.{name}" for name in MODELS}
    assert len(answer.answer.rooms) == len(STREAMERS)
