"""Similar streamers over real gRPC: who is named, and what a caller is told when nobody can be."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import grpc
import grpc.aio
import numpy as np
import pytest

from feature_service.clock import wall_clock
from feature_service.features.catalog import build_catalog
from feature_service.features.events import MAX_ID_BYTES, Event, EventKind
from feature_service.service import FeatureService, Held
from protos.onair.v1 import recommendation_pb2 as pb
from protos.onair.v1 import recommendation_pb2_grpc as pb_grpc
from tests.feature_service.live_platform import CONTENT_WIDTH
from tests.feature_service.recall.served_channels import keys, neighbours
from tests.feature_service.running_service import Running, running
from tests.feature_service.scripted_model_server import Hold, ScriptedServer, serving

NEIGHBOURS = {
    "anna": (1.0, ""),
    "ben": (0.75, ""),
    "nobody": (0.7, ""),
    "cleo": (0.5, ""),
    "dora": (0.25, ""),
    "": (0, ""),
}
"""Whom the model names for anna; the service has never heard of `nobody`."""


def _event(kind: EventKind, streamer: str) -> Event:
    return Event(f"{kind} {streamer}", kind, wall_clock(), room_id=f"{streamer}/1", streamer_id=streamer)


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[tuple[Running, ScriptedServer]]:
    """A service whose model knows the neighbours of anna; ben is off air, the others are on."""
    models = {"item_cf": neighbours(build_catalog(CONTENT_WIDTH), NEIGHBOURS)}
    async with serving(models) as server, running(tmp_path / "data", [server.target]) as stack:
        started = [_event(EventKind.ROOM_STARTED, each) for each in ("anna", "ben", "cleo", "dora")]
        await stack.client.report([*started, _event(EventKind.ROOM_ENDED, "ben")])
        yield stack, server


async def _status(call: object) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call  # pyright: ignore[reportGeneralTypeIssues]
    return error.value.code(), error.value.details() or ""


async def test_names_the_neighbours_best_first_with_their_rooms_on_air(stack: tuple[Running, ScriptedServer]) -> None:
    answer = await stack[0].client.similar("anna")
    assert [(each.streamer_id, each.score, each.room_id) for each in answer.streamers] == [
        ("ben", 0.75, ""),
        ("cleo", 0.5, "cleo/1"),
        ("dora", 0.25, "dora/1"),
    ]
    assert answer.model_version == 1


async def test_names_no_more_than_asked_for(stack: tuple[Running, ScriptedServer]) -> None:
    assert [each.streamer_id for each in (await stack[0].client.similar("anna", 1)).streamers] == ["ben"]


async def test_counts_only_who_is_on_air_where_only_they_are_wanted(stack: tuple[Running, ScriptedServer]) -> None:
    answer = await stack[0].client.similar("anna", 1, live_only=True)
    assert [each.streamer_id for each in answer.streamers] == ["cleo"]


@pytest.mark.parametrize("streamer", ["cleo", "never heard of"])
async def test_streamer_without_neighbours_has_an_empty_answer(
    stack: tuple[Running, ScriptedServer], streamer: str
) -> None:
    assert not (await stack[0].client.similar(streamer)).streamers


@pytest.mark.parametrize(
    ("streamer", "k", "said"),
    [
        ("", 10, "streamer_id: expected an id, received an empty string"),
        ("x" * (MAX_ID_BYTES + 1), 10, "streamer_id: expected at most 256 bytes, received 257"),
        ("anna", 0, "k: expected 1 to 100, received 0"),
        ("anna", 101, "k: expected 1 to 100, received 101"),
    ],
)
async def test_question_that_cannot_be_answered_is_refused_by_its_field(
    stack: tuple[Running, ScriptedServer], streamer: str, k: int, said: str
) -> None:
    assert await _status(stack[0].client.similar(streamer, k)) == (grpc.StatusCode.INVALID_ARGUMENT, said)


async def test_without_the_model_the_caller_is_told_which_one_is_missing(tmp_path: Path) -> None:
    async with running(tmp_path / "data") as stack:
        code, said = await _status(stack.client.similar("anna"))
    assert code is grpc.StatusCode.FAILED_PRECONDITION
    assert said == "similar streamers: expected a served model item_cf, received none"


async def test_model_server_that_has_lost_the_model_is_unavailable(stack: tuple[Running, ScriptedServer]) -> None:
    running_service, server = stack
    server.models.clear()
    code, said = await _status(running_service.client.similar("anna"))
    assert code is grpc.StatusCode.UNAVAILABLE
    assert "no version 1 of item_cf" in said


async def test_model_server_that_hangs_is_waited_for_as_long_as_the_caller_waits(
    stack: tuple[Running, ScriptedServer],
) -> None:
    running_service, server = stack
    server.holds["similar"] = Hold()
    async with grpc.aio.insecure_channel(running_service.target) as channel:
        ask = pb_grpc.RecommendationServiceStub(channel).SimilarStreamers
        code, _ = await _status(ask(pb.SimilarStreamersRequest(streamer_id="anna", k=1), timeout=0.2))
    assert code is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_model_server_that_hangs_is_told_to_a_caller_without_a_deadline(tmp_path: Path) -> None:
    def hurried(service: FeatureService) -> FeatureService:
        whole = service.settings
        return replace(service, held=Held(replace(whole, service=replace(whole.service, deadline_ms=200))))

    models = {"item_cf": neighbours(build_catalog(CONTENT_WIDTH), NEIGHBOURS)}
    async with serving(models) as server, running(tmp_path, [server.target], change=hurried) as stack:
        server.holds["similar"] = Hold()
        async with grpc.aio.insecure_channel(stack.target) as channel:
            ask = pb_grpc.RecommendationServiceStub(channel).SimilarStreamers
            code, said = await _status(ask(pb.SimilarStreamersRequest(streamer_id="anna", k=1)))
    assert code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert said.startswith("DEADLINE_EXCEEDED: ")


async def test_answer_of_another_shape_is_an_internal_error_that_names_it(
    stack: tuple[Running, ScriptedServer],
) -> None:
    running_service, server = stack
    wrong = {"streamer": np.array([keys("ben", "cleo")]), "score": np.zeros((1, 1), np.float32)}
    server.models["item_cf"].compute["similar"] = lambda version, inputs: wrong
    code, said = await _status(running_service.client.similar("anna"))
    assert code is grpc.StatusCode.INTERNAL
    assert "item_cf: expected outputs of one shape [1, n], received streamer [1, 2], score [1, 1]" in said
