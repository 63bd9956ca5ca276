"""The guard: who is let in, for what and how often, what is recorded of it, and what each kind of wrong call gets."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from feature_service.access.audit import user_key
from feature_service.access.scopes import AUDITED, SCOPES
from feature_service.server import MAX_REQUEST_BYTES
from protos.onair.v1 import recommendation_pb2 as pb
from tests.feature_service.access.guarded_service import (
    Guarded,
    Metadata,
    channel,
    guarded,
    send,
    token_file,
    write_tokens,
)

ASKING = pb.RecommendRequest(user_id="viewer", k=3).SerializeToString()
APP, CONSOLE = "onair_app", "onair_console"


def bearer(token: str) -> Metadata:
    return (("authorization", f"Bearer {token}"),)


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Guarded]:
    """A service that knows an app, which asks, and a console, which explains."""
    tokens = write_tokens(tmp_path / "tokens.toml", ("app", APP, ["ask"]), ("console", CONSOLE, ["explain"]))
    async with guarded(tmp_path / "data", tokens=tokens) as running:
        yield running


async def test_a_call_needs_a_token_that_is_known_and_has_the_methods_scope(service: Guarded) -> None:
    async with channel(service.target) as opened:
        statuses = [
            await send(opened, "Recommend", ASKING, metadata)
            for metadata in (
                (),
                bearer("onair_other"),
                (("authorization", f"Basic {APP}"),),
                (*bearer(APP), *bearer(APP)),
                bearer(CONSOLE),
                bearer(APP),
            )
        ]
    assert statuses == [
        (grpc.StatusCode.UNAUTHENTICATED, "authorization: expected a bearer token, received none"),
        (grpc.StatusCode.UNAUTHENTICATED, "authorization: expected a token that is known here"),
        (grpc.StatusCode.UNAUTHENTICATED, "authorization: expected a bearer token, received none"),
        (grpc.StatusCode.UNAUTHENTICATED, "authorization: expected a bearer token, received none"),
        (grpc.StatusCode.PERMISSION_DENIED, "authorization: expected a token for ask, received one for explain"),
        (grpc.StatusCode.OK, ""),
    ]


async def test_a_message_is_not_parsed_for_a_caller_who_may_not_send_it(service: Guarded) -> None:
    async with channel(service.target) as opened:
        code, _ = await send(opened, "Recommend", b"\xff\xff\xff")
    assert code is grpc.StatusCode.UNAUTHENTICATED


async def test_a_client_sends_the_token_of_its_file_even_when_that_changes(service: Guarded, tmp_path: Path) -> None:
    credentials = token_file(tmp_path / "app.token", "onair_old")
    async with service.client(credentials) as client:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await client.recommend("viewer")
        assert error.value.code() is grpc.StatusCode.UNAUTHENTICATED
        token_file(tmp_path / "app.token", APP)
        await client.recommend("viewer")


async def test_tokens_are_added_and_taken_back_while_the_service_runs(service: Guarded, tmp_path: Path) -> None:
    async with channel(service.target) as opened:
        assert (await send(opened, "Recommend", ASKING, bearer(APP)))[0] is grpc.StatusCode.OK
        write_tokens(tmp_path / "tokens.toml", ("new app", "onair_new", ["ask"]))
        (tmp_path / "tokens.toml").write_text("no TOML at all")
        assert (await send(opened, "Recommend", ASKING, bearer(APP)))[0] is grpc.StatusCode.OK
        write_tokens(tmp_path / "tokens.toml", ("new", "onair_new", ["ask"]))
        assert (await send(opened, "Recommend", ASKING, bearer(APP)))[0] is grpc.StatusCode.UNAUTHENTICATED
        assert (await send(opened, "Recommend", ASKING, bearer("onair_new")))[0] is grpc.StatusCode.OK


async def test_health_is_open_and_reflection_is_open_to_any_token(service: Guarded) -> None:
    asked = reflection_pb2.ServerReflectionRequest(list_services="")
    async with channel(service.target) as opened:
        check = health_pb2.HealthCheckRequest().SerializeToString()
        assert (await send(opened, "Check", check, service="grpc.health.v1.Health"))[0] is grpc.StatusCode.OK
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(opened)  # pyright: ignore[reportArgumentType]
        with pytest.raises(grpc.aio.AioRpcError) as error:
            _ = [answer async for answer in stub.ServerReflectionInfo(iter([asked]))]
        assert error.value.code() is grpc.StatusCode.UNAUTHENTICATED
        shown = [answer async for answer in stub.ServerReflectionInfo(iter([asked]), metadata=bearer(CONSOLE))]
    assert "onair.v1.RecommendationService" in {each.name for each in shown[0].list_services_response.service}


def test_every_method_of_the_api_has_a_scope_and_whatever_shows_a_user_or_changes_answers_is_recorded() -> None:
    service = pb.DESCRIPTOR.services_by_name["RecommendationService"]
    assert set(SCOPES) == {f"/{service.full_name}/{method.name}" for method in service.methods}
    named = {path.rpartition("/")[2] for path in AUDITED}
    assert named == {"Explain", "GetFeatures", "WhatIf", "Rollback"}


async def test_each_look_at_a_user_is_recorded_with_the_callers_name_and_not_the_users_id(service: Guarded) -> None:
    features = pb.GetFeaturesRequest(user_id="viewer", room_ids=["anna/1"]).SerializeToString()
    async with channel(service.target) as opened:
        await send(opened, "Explain", ASKING, bearer(CONSOLE))
        await send(opened, "GetFeatures", features, bearer(CONSOLE))
        await send(opened, "Recommend", ASKING, bearer(APP))
        await send(opened, "Explain", ASKING, bearer(APP))  # Has no such scope, and sees nothing.
    lines = service.audit()
    assert [(line["caller"], line["method"]) for line in lines] == [("console", "Explain"), ("console", "GetFeatures")]
    assert {line["user"] for line in lines} == {user_key("viewer")}
    path = service.data / "audit.jsonl"
    assert "viewer" not in path.read_text()
    assert path.stat().st_mode & 0o077 == 0


async def test_nothing_of_a_user_is_shown_that_cannot_be_recorded(service: Guarded) -> None:
    (service.data / "audit.jsonl").mkdir()
    async with channel(service.target) as opened:
        said = await send(opened, "Explain", ASKING, bearer(CONSOLE))
    assert said == (grpc.StatusCode.UNAVAILABLE, "the audit file cannot be written: Is a directory")


async def test_who_calls_too_often_is_told_when_to_come_again_and_costs_nobody_else(tmp_path: Path) -> None:
    callers = ("app", APP, ["ask"]), ("slow", "onair_slow", ["ask"])
    tokens = write_tokens(tmp_path / "tokens.toml", *callers, more="rate = 0.01\n")
    async with guarded(tmp_path / "data", tokens=tokens) as running, channel(running.target) as opened:
        call = opened.unary_unary("/onair.v1.RecommendationService/Recommend")
        await call(ASKING, metadata=bearer("onair_slow"))
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await call(ASKING, metadata=bearer("onair_slow"))
        await call(ASKING, metadata=bearer(APP))
    assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert error.value.details() == "expected at most 0.01 calls a second of a caller"
    wait_ms = dict(error.value.trailing_metadata())["grpc-retry-pushback-ms"]
    assert 90_000 < int(wait_ms) <= 100_000  # One call in 100 seconds.


async def test_without_tokens_the_callers_of_one_address_share_a_rate(tmp_path: Path) -> None:
    async with guarded(tmp_path / "data", rate=0.01) as running:
        codes = []
        for _ in range(2):
            async with channel(running.target) as opened:
                codes.append((await send(opened, "Recommend", ASKING))[0])
    assert codes == [grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED]


async def test_bytes_that_are_no_message_and_messages_that_are_too_large_are_refused(service: Guarded) -> None:
    async with channel(service.target) as opened:
        malformed = await send(opened, "Recommend", b"\xff\xff\xff", bearer(APP))
        oversized = await send(opened, "Recommend", bytes(MAX_REQUEST_BYTES + 1), bearer(APP))
        unknown = await send(opened, "DropTables", b"", bearer(APP))
    said = "expected the method's message, received 3 bytes that are none"
    assert malformed == (grpc.StatusCode.INVALID_ARGUMENT, said)
    assert oversized[0] is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert unknown[0] is grpc.StatusCode.UNIMPLEMENTED
