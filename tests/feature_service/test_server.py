"""The gRPC server: what it refuses and by which words, and what it answers where it degrades. Real gRPC."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from feature_service import checks
from feature_service.clock import wall_clock
from feature_service.features.events import MAX_AHEAD_MS, MAX_ID_BYTES, MAX_LATENESS_MS, Event, EventKind
from feature_service.features.view import Context
from feature_service.log.protocol import LogError
from feature_service.service import FeatureService
from feature_service.stores.keeper import StateKeeper
from feature_service.stores.protocol import StoreError
from protos.onair.v1 import event_pb2
from protos.onair.v1 import recommendation_pb2 as pb
from protos.onair.v1 import recommendation_pb2_grpc as pb_grpc
from tests.feature_service.running_service import PATIENCE_S, Running, running

LONG = "x" * (MAX_ID_BYTES + 1)


def event(event_id: str, kind: EventKind = EventKind.ROOM_STARTED, ago_ms: int = 0, **fields: Any) -> Event:
    """An event of the room `anna/1`, so long ago."""
    given: dict[str, Any] = {"room_id": "anna/1", "streamer_id": "anna"} | fields
    return Event(event_id, kind, wall_clock() - ago_ms, **given)


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[Running]:
    """A service without model servers, with one room on air that a viewer has entered."""
    async with running(tmp_path / "data") as stack:
        await stack.client.report([event("start"), event("enter", EventKind.ENTER, user_id="viewer")])
        yield stack


async def refusal(call: Any) -> str:
    """The message of a call that is refused as INVALID_ARGUMENT."""
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    return error.value.details() or ""


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"user_id": ""}, "user_id: expected an id, received an empty string"),
        ({"user_id": LONG}, "user_id: expected at most 256 bytes, received 257"),
        ({"k": 0}, "k: expected 1 to 100, received 0"),
        ({"k": 10_000}, "k: expected 1 to 100, received 10000"),
        ({"k": -1}, "k: expected 1 to 100, received -1"),
        ({"scene": "nowhere"}, "scene: expected one of following, home, received 'nowhere'"),
        ({"page_token": "not a token"}, "page_token: expected a token of an earlier answer, received 'not a token'"),
        ({"page_token": "AAAA"}, "page_token: expected a token of an earlier answer, received 'AAAA'"),
        ({"page_token": "é"}, "page_token: expected a token of an earlier answer, received 'é'"),
        ({"request_id": "ü" * MAX_ID_BYTES}, "request_id: expected at most 256 bytes, received 512"),
    ],
)
async def test_request_that_cannot_be_answered_is_refused_by_its_field(
    stack: Running, asked: dict[str, Any], said: str
) -> None:
    assert await refusal(stack.client.recommend(**{"user_id": "viewer", **asked})) == said


async def test_explain_refuses_what_recommend_refuses(stack: Running) -> None:
    assert (await refusal(stack.client.explain("viewer", 0))).startswith("k: ")


async def test_explain_of_an_empty_slate_says_what_is_known_of_the_user(tmp_path: Path) -> None:
    async with running(tmp_path / "data") as stack:
        answer = await stack.client.explain("viewer")
    assert not answer.answer.rooms
    assert answer.trace.user_features


async def test_questions_for_features_are_refused_by_their_field(stack: Running) -> None:
    assert (await refusal(stack.client.features("", ["anna/1"]))).startswith("user_id: ")
    assert (await refusal(stack.client.features("viewer", []))).startswith("room_ids: expected 1 to 2000, received 0")
    assert "mmoe" in await refusal(stack.client.features("viewer", ["anna/1"], model="mmoe"))


async def test_features_name_the_rooms_that_nobody_knows(stack: Running) -> None:
    answer = await stack.client.features("viewer", ["nobody/1", "anna/1"])
    assert list(answer.unknown_room_ids) == ["nobody/1"]
    assert {each.shape[0] for each in answer.tensors if each.name.startswith("candidate")} == {1}
    assert answer.log_position == 2


async def test_features_have_a_row_for_each_room_asked_for_in_order(stack: Running) -> None:
    answer = await stack.client.features("viewer", ["anna/1", "nobody/1", "anna/1"])
    assert list(answer.unknown_room_ids) == ["nobody/1"]
    assert {each.shape[0] for each in answer.tensors if each.name.startswith("candidate")} == {2}


async def test_features_of_the_default_scene_are_those_that_recommend_computes(stack: Running) -> None:
    unnamed = await stack.client.features("viewer", ["anna/1"])
    home = await stack.client.features("viewer", ["anna/1"], context=Context("home"))
    ids = [next(each for each in answer.tensors if each.name == "user_ids") for answer in (unnamed, home)]
    assert ids[0].content == ids[1].content
    said = await refusal(stack.client.features("viewer", ["anna/1"], context=Context("nowhere")))
    assert said == "scene: expected one of following, home, received 'nowhere'"


async def test_features_of_no_known_room_have_no_rows(stack: Running) -> None:
    answer = await stack.client.features("viewer", ["nobody/1"])
    assert {each.shape[0] for each in answer.tensors if each.name.startswith("candidate")} == {0}


async def test_unknown_user_gets_a_slate(stack: Running) -> None:
    answer = await stack.client.recommend("nobody has seen me")
    assert [room.room_id for room in answer.rooms] == ["anna/1"]


async def test_each_event_has_its_own_fate(stack: Running) -> None:
    reported = [
        event("good", EventKind.LIKE, user_id="viewer"),
        event("start"),
        event("", EventKind.LIKE, user_id="viewer"),
        event("future", EventKind.LIKE, ago_ms=-MAX_AHEAD_MS - 60_000, user_id="viewer"),
        event("late", EventKind.LIKE, ago_ms=MAX_LATENESS_MS + 60_000, user_id="viewer"),
        event("nobody's", EventKind.LIKE),
        event("long", EventKind.LIKE, user_id=LONG),
        event("wide", EventKind.ROOM_UPDATED, content=(1.0, 2.0, 3.0)),
        event("good", EventKind.LIKE, user_id="viewer"),
        event("good too", EventKind.LIKE, user_id="viewer"),
    ]
    before = stack.service.state.position
    results = await stack.client.report(reported)
    assert [pb.Acceptance.Name(each.acceptance) for each in results] == [
        *("ACCEPTED", "DUPLICATE", "REFUSED", "REFUSED", "LATE", "REFUSED", "REFUSED", "REFUSED", "DUPLICATE"),
        "ACCEPTED",
    ]
    reasons = [each.reason.partition(":")[0] for each in results if each.reason]
    assert reasons == ["event_id", "time_ms", "user_id", "user_id", "content"]
    assert stack.service.state.position == before + 3  # Two accepted and a late one are logged.


async def test_event_too_large_for_the_log_costs_no_other_event(stack: Running) -> None:
    reported = [event("novel", title="x" * 5_000_000), event("good", EventKind.LIKE, user_id="viewer")]
    results = await stack.client.report(reported)
    assert [each.acceptance for each in results] == [pb.REFUSED, pb.ACCEPTED]
    assert results[0].reason == "title: expected at most 1000 characters, received 5000000"


async def test_report_that_is_too_long_is_refused_before_its_events_are_read(stack: Running) -> None:
    nothing = pb.ReportEventsRequest(events=[event_pb2.Event()] * (checks.MAX_EVENTS + 1))
    async with grpc.aio.insecure_channel(stack.target) as channel:
        said = await refusal(pb_grpc.RecommendationServiceStub(channel).ReportEvents(nothing, timeout=PATIENCE_S))
    assert said == "events: expected 1 to 10000, received 10001"


async def test_refusal_that_quotes_a_huge_value_still_arrives(stack: Running) -> None:
    said = await refusal(stack.client.recommend("viewer", scene="😀" * 100_000))
    assert said.startswith("scene: expected one of following, home, received '😀")


async def test_event_of_an_unknown_kind_costs_no_other_event(stack: Running) -> None:
    reported = pb.ReportEventsRequest(
        events=[
            event_pb2.Event(event_id="new", kind=99, time_ms=wall_clock()),  # pyright: ignore[reportArgumentType]
            event_pb2.Event(
                event_id="bare",
                kind=event_pb2.ROOM_UPDATED,
                time_ms=wall_clock(),
                room_id="anna/1",
                streamer_id="anna",
                attributes={"level": event_pb2.Attribute()},
            ),
            event_pb2.Event(
                event_id="good", kind=event_pb2.LIKE, time_ms=wall_clock(), room_id="anna/1", user_id="viewer"
            ),
        ]
    )
    async with grpc.aio.insecure_channel(stack.target) as channel:
        answer = await pb_grpc.RecommendationServiceStub(channel).ReportEvents(reported, timeout=PATIENCE_S)
    fates = [(each.event_id, pb.Acceptance.Name(each.acceptance)) for each in answer.results]
    assert fates == [("new", "REFUSED"), ("bare", "REFUSED"), ("good", "ACCEPTED")]
    assert answer.results[0].reason.startswith("kind: expected one of IMPRESSION (1), ")
    assert answer.results[1].reason.startswith("attributes.level: expected ")


async def test_report_without_events_is_refused(stack: Running) -> None:
    assert await refusal(stack.client.report([])) == "events: expected 1 to 10000, received 0"


async def test_pages_never_repeat_a_room_and_end(stack: Running) -> None:
    more = [event(f"start {n}", room_id=f"ben/{n}", streamer_id=f"ben {n}") for n in range(24)]
    await stack.client.report(more)
    shown: list[str] = []
    token = ""
    for _ in range(10):
        answer = await stack.client.recommend("viewer", 4, page_token=token)
        shown += [room.room_id for room in answer.rooms]
        if not (token := answer.next_page_token):
            break
    assert not token
    assert len(shown) == len(set(shown)) == 25


class NoStore:
    """A store that cannot be read."""

    def __getattr__(self, name: str) -> Any:
        raise StoreError("the disk is gone")


def without_store(service: FeatureService) -> FeatureService:
    keeper = StateKeeper(service.state, NoStore())  # pyright: ignore[reportArgumentType]
    service.writer._keeper = keeper  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]
    return replace(service, keeper=keeper)


async def test_without_the_store_a_user_is_served_as_an_unknown_one(tmp_path: Path) -> None:
    async with running(tmp_path / "first") as first:
        await first.client.report([event("start")])
    async with running(tmp_path / "first", change=without_store) as stack:
        answer = await stack.client.recommend("viewer")
        known = await stack.client.features("viewer", ["anna/1"])
    assert [room.room_id for room in answer.rooms] == ["anna/1"]
    stages = {each.stage: (each.cause, each.fallback) for each in answer.degraded}
    assert stages["store"] == ("the disk is gone", "the records of an unknown user")
    assert len(known.tensors) > 0


async def test_without_the_store_no_event_of_an_unread_user_is_acknowledged(tmp_path: Path) -> None:
    async with running(tmp_path / "data", change=without_store) as stack:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await stack.client.report([event("start")])
        assert error.value.code() is grpc.StatusCode.UNAVAILABLE
        assert error.value.details() == "the disk is gone"
        assert stack.service.state.position == 0


class FullLog:
    """A log on a full disk."""

    def append(self, events: Any) -> int:
        raise LogError("no space left")


def with_full_log(service: FeatureService) -> FeatureService:
    service.writer._log = FullLog()  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]
    return service


async def test_events_that_cannot_be_logged_are_not_acknowledged_and_change_nothing(tmp_path: Path) -> None:
    async with running(tmp_path / "data", change=with_full_log) as stack:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await stack.client.report([event("start")])
        assert error.value.code() is grpc.StatusCode.UNAVAILABLE
        answer = await stack.client.recommend("viewer")
    assert not answer.rooms
