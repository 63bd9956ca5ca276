"""Administration over real gRPC: what if, live rooms, status, versions and rollback."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import numpy as np
import pytest

from feature_service.clock import wall_clock
from feature_service.features.catalog import build_catalog
from feature_service.features.events import Event, EventKind
from feature_service.features.layout import CANDIDATE_FLOATS, USER_IDS
from protos.onair.v1 import recommendation_pb2 as pb
from protos.onair.v1 import recommendation_pb2_grpc as pb_grpc
from serving import contract
from serving.history import EntryKind, happened, note
from serving.manifest import Manifest, Provenance
from serving.versions import place
from tests.feature_service.live_platform import CONTENT_WIDTH
from tests.feature_service.running_service import Running, running
from tests.feature_service.scripted_model_server import Inputs, ScriptedModel, serving
from tests.training.written_models import written_model

PROVENANCE = Provenance(1000, 2000, {"enter.auc": 0.75, "gift.auc": None}, "", "abc")
ROOMS = (("anna/1", 10), ("bella/1", 90), ("cleo/1", 50))
"""Rooms with their viewers."""


def two_heads() -> ScriptedModel:
    """Predicts `enter` by the viewers, and `like` against them; version 2 has the heads the other way round."""

    def predictions(version: int, inputs: Inputs) -> np.ndarray[Any, np.dtype[np.float32]]:
        viewers = inputs[CANDIDATE_FLOATS][:, 0] / 100
        heads = np.stack([viewers, 1 - viewers], axis=1)
        return (heads if version == 1 else heads[:, ::-1]).astype(np.float32)

    layout = build_catalog(CONTENT_WIDTH).layout(["user.id", "room.viewers"], heads=("enter", "like"))
    signature = contract.SERVING_DEFAULT
    return ScriptedModel(layout, {signature: (USER_IDS, CANDIDATE_FLOATS)}, {signature: predictions})


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A model store with versions 1 and 2 of `mmoe`."""
    for version in (1, 2):
        manifest = Manifest("mmoe", version, "2026-01-01T00:00:00+00:00", version - 1 or None, None, "2.21", PROVENANCE)
        place(written_model(tmp_path / f"model-{version}"), tmp_path / "models" / "mmoe", version, manifest.write)
    note(tmp_path / "models" / "mmoe", happened(EntryKind.PUBLISHED, 2))
    return tmp_path / "models"


@pytest.fixture
async def stack(tmp_path: Path, models: Path) -> AsyncIterator[Running]:
    """Three rooms on air, and two rankers of which `mmoe` is the scene's."""
    more = f"""
[models]
folder = "{models}"
[scene]
rerank = []
[scene.channels]
fresh = 10
[scene.fusion]
enter = 1.0
"""
    async with (
        serving({"mmoe": two_heads(), "esmm": two_heads()}) as server,
        running(tmp_path / "data", [server.target], more=more) as stack,
    ):
        started = [
            Event(room, EventKind.ROOM_STARTED, wall_clock(), room_id=room, streamer_id=room[:-2], viewers=viewers)
            for room, viewers in ROOMS
        ]
        await stack.client.report(started)
        yield stack


def stub(stack: Running) -> Any:
    """Calls of the whole API."""
    return pb_grpc.RecommendationServiceStub(grpc.aio.insecure_channel(stack.target))


def question(**wish: Any) -> pb.WhatIfRequest:
    return pb.WhatIfRequest(request=pb.RecommendRequest(user_id="viewer", k=3), **wish)


def slate(response: pb.ExplainResponse) -> list[str]:
    return [room.room_id for room in response.answer.rooms]


async def refused(call: Any, code: grpc.StatusCode = grpc.StatusCode.INVALID_ARGUMENT) -> str:
    """The message of a refusal."""
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    assert error.value.code() is code
    return error.value.details() or ""


async def test_a_wish_for_nothing_else_is_the_slate_as_it_is(stack: Running) -> None:
    response = await stub(stack).WhatIf(question())
    assert slate(response) == ["bella/1", "cleo/1", "anna/1"]
    assert response.answer.rooms == (await stack.client.explain("viewer", 3)).answer.rooms


async def test_other_weights_make_another_slate(stack: Running) -> None:
    # Only `like` counts, and that is against the viewers.
    response = await stub(stack).WhatIf(question(fusion=pb.FusionWeights(weights={"like": 2.0})))
    assert slate(response) == ["anna/1", "cleo/1", "bella/1"]
    terms = {term.head: term.weight for term in response.trace.candidates[0].terms}
    assert terms == {"enter": 0.0, "like": 2.0}


async def test_another_ranker_answers_though_no_scene_has_it(stack: Running) -> None:
    response = await stub(stack).WhatIf(question(ranker="esmm"))
    assert (response.trace.ranker, response.trace.ranker_version) == ("esmm", 1)
    assert slate(response) == ["bella/1", "cleo/1", "anna/1"]


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"fusion": pb.FusionWeights(weights={"enter": -1.0})}, "fusion.enter: expected 0 to 1000, received -1.0"),
        (
            {"fusion": pb.FusionWeights(weights={"enter": float("nan")})},
            "fusion.enter: expected 0 to 1000, received nan",
        ),
        ({"fusion": pb.FusionWeights(weights={str(i): 1.0 for i in range(101)})}, "fusion: expected at most 100 heads"),
        ({"ranker": "gpt"}, "ranker: expected one that the model servers have loaded, received 'gpt'"),
        ({"ranker": "../../etc"}, "ranker: expected one that the model servers have loaded"),
        ({"ranker_version": 9}, "ranker_version: expected one of 1, received 9"),
    ],
)
async def test_a_wish_that_cannot_be_granted_is_refused_by_its_field(
    stack: Running, wish: dict[str, Any], said: str
) -> None:
    assert (await refused(stub(stack).WhatIf(question(**wish)))).startswith(said)


async def test_an_explained_room_says_what_the_ranker_reads_and_how_old_it_is(stack: Running) -> None:
    response = await stack.client.explain("viewer", 1)
    (room,) = [each for each in response.trace.candidates if each.final_position == 0]
    (viewers,) = room.features
    assert (viewers.name, viewers.unit, list(viewers.numbers)) == ("room.viewers", "viewers", [90.0])
    assert 0 <= viewers.age_ms < 60_000
    assert [(each.name, list(each.texts)) for each in response.trace.user_features] == [("user.id", [""])]


async def test_rooms_on_air_are_listed_with_their_words(stack: Running) -> None:
    response = await stub(stack).ListLiveRooms(pb.ListLiveRoomsRequest(order=pb.MOST_VIEWERS_FIRST, limit=2))
    assert [(room.room_id, room.viewers, room.newcomer) for room in response.rooms] == [
        ("bella/1", 90, True),
        ("cleo/1", 50, True),
    ]
    assert (response.rooms_on_air, response.newcomers_on_air, response.listed) == (3, 3, 3)
    assert [moment.kind for moment in response.moments] == [pb.STARTED] * 3


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"limit": 0}, "limit: expected 1 to 200, received 0"),
        ({"limit": 201}, "limit: expected 1 to 200, received 201"),
        ({"limit": 1, "offset": -1}, "offset: expected 0 or more, received -1"),
        ({"limit": 1, "order": 7}, "order: expected one of LiveOrder, received 7"),
    ],
)
async def test_a_part_that_is_none_is_refused_by_its_field(stack: Running, part: dict[str, Any], said: str) -> None:
    assert await refused(stub(stack).ListLiveRooms(pb.ListLiveRoomsRequest(**part))) == said


async def test_the_status_tells_versions_positions_and_calls(stack: Running) -> None:
    await stack.client.recommend("viewer", 3)
    await refused(stack.client.recommend("viewer", 0))
    status = await stub(stack).GetStatus(pb.GetStatusRequest())
    assert {each.model: each.version for each in status.models}["mmoe"] == 1
    assert status.log_position == 3
    assert status.rooms_on_air == 3
    (recommend,) = [each for each in status.methods if each.method == "Recommend"]
    assert dict(recommend.calls) == {"OK": 1, "INVALID_ARGUMENT": 1}
    assert recommend.p99_ms > 0
    assert dict(status.rungs) == {"FULL": 1}
    assert status.minutes[-1].failed == 1


async def test_versions_tell_states_manifest_and_history(stack: Running) -> None:
    response = await stub(stack).ListModelVersions(pb.ListModelVersionsRequest())
    (mmoe,) = [each for each in response.models if each.model == "mmoe"]
    assert mmoe.ranks
    assert [(each.version, each.serves) for each in mmoe.versions] == [(2, False), (1, True)]
    assert list(mmoe.versions[1].states.values()) == ["AVAILABLE"]
    assert dict(mmoe.versions[0].published.metrics) == {"enter.auc": 0.75}
    assert [(each.kind, each.version) for each in mmoe.history] == [("published", 2)]


async def test_a_rollback_publishes_the_old_content_again(stack: Running, models: Path) -> None:
    response = await stub(stack).Rollback(pb.RollbackRequest(model="mmoe", version=1))
    assert response.version == 3
    assert (models / "mmoe" / "3" / "saved_model.pb").is_file()


@pytest.mark.parametrize(
    ("model", "version", "said"),
    [
        ("../mmoe", 1, "model: expected one of mmoe, received '../mmoe'"),
        ("", 1, "model: expected one of mmoe, received ''"),
        ("mmoe", 9, "expected one of the versions 1, 2, received 9"),
    ],
)
async def test_a_rollback_of_what_is_not_published_is_refused(
    stack: Running, model: str, version: int, said: str
) -> None:
    call = stub(stack).Rollback(pb.RollbackRequest(model=model, version=version))
    assert said in await refused(call, grpc.StatusCode.FAILED_PRECONDITION)


async def test_without_a_folder_the_history_is_said_to_be_unknown(tmp_path: Path) -> None:
    async with running(tmp_path / "data") as stack:
        response = await stub(stack).ListModelVersions(pb.ListModelVersionsRequest())
        assert response.history_problem.startswith("models.folder: expected the folder")
        call = stub(stack).Rollback(pb.RollbackRequest(model="mmoe", version=1))
        await refused(call, grpc.StatusCode.FAILED_PRECONDITION)
