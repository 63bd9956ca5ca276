"""Log lines: one a record, as JSON or as text, with the request they belong to, and nothing of users or titles."""

import io
import json
import logging
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from feature_service.features.events import EventKind
from feature_service.log.protocol import LogError
from feature_service.observe.logs import JsonFormatter, TextFormatter
from feature_service.observe.requests import REQUEST_ID, TRACE_ID
from feature_service.service import FeatureService
from serving.launch import free_port
from tests.feature_service.observe.observed_service import event, observed
from tests.stack.service_process import ServiceProcess

USER, TITLE, ROOM = "user-of-a-secret", "a title that nobody may log", "room-of-a-secret/1"


@contextmanager
def written(formatter: logging.Formatter, level: int = logging.INFO) -> Generator[io.StringIO]:
    """Collects the lines of every logger meanwhile."""
    stream, root = io.StringIO(), logging.getLogger()
    handler, before = logging.StreamHandler(stream), root.level
    handler.setFormatter(formatter)
    root.addHandler(handler)
    root.setLevel(level)
    try:
        yield stream
    finally:
        root.removeHandler(handler)
        root.setLevel(before)


@contextmanager
def within(request_id: str, trace_id: str = "") -> Generator[None]:
    """Works for a request meanwhile."""
    tokens = REQUEST_ID.set(request_id), TRACE_ID.set(trace_id)
    try:
        yield
    finally:
        REQUEST_ID.reset(tokens[0])
        TRACE_ID.reset(tokens[1])


def record(message: str, **fields: Any) -> logging.LogRecord:
    return logging.makeLogRecord({"name": "onair.test", "levelname": "INFO", "msg": message, "created": 0.25} | fields)


def test_a_json_line_says_when_who_what_and_for_which_request() -> None:
    with within("asked", "0af7651916cd43dd8448eb211c80319c"):
        line = JsonFormatter().format(record("two\nlines “and” more"))
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "1970-01-01T00:00:00.250+00:00",
        "level": "INFO",
        "logger": "onair.test",
        "message": "two\nlines “and” more",
        "request_id": "asked",
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
    }


def test_a_json_line_of_an_error_holds_its_traceback() -> None:
    try:
        raise ValueError("broken")
    except ValueError:
        line = json.loads(JsonFormatter().format(record("it failed", exc_info=sys.exc_info())))
    assert line["error"].splitlines()[-1] == "ValueError: broken"
    assert "request_id" not in line


def test_a_request_id_cannot_begin_a_line_of_its_own() -> None:
    with within("asked\n1970-01-01 ERROR onair.test all is lost"):
        line = TextFormatter().format(record("all is well"))
    assert len(line.splitlines()) == 1
    assert line.endswith(r"all is well request_id='asked\n1970-01-01 ERROR onair.test all is lost'")


class Broken:
    """A writer whose disk is full."""

    async def report(self, reported: Any, now_ms: int) -> Any:
        raise LogError("the disk is full")


def with_a_full_disk(service: FeatureService) -> FeatureService:
    return replace(service, writer=Broken())


async def test_lines_of_a_request_carry_its_id_and_those_of_others_do_not(tmp_path: Path) -> None:
    with written(JsonFormatter(), logging.DEBUG) as stream:
        async with observed(tmp_path) as stack:
            await stack.client.recommend("viewer", request_id="first")
            await stack.client.recommend("viewer", request_id="second")
            logging.getLogger("onair.test").info("of nobody")
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    answered = [line["request_id"] for line in lines if line["logger"] == "feature_service.service"]
    assert answered == ["first", "second"]
    assert [line.get("request_id") for line in lines if line["message"] == "of nobody"] == [None]


async def test_no_line_of_ours_holds_a_user_a_room_or_a_title_whatever_fails(tmp_path: Path) -> None:
    asked = event("start", room_id=ROOM, title=TITLE), event("like", EventKind.LIKE, room_id=ROOM, user_id=USER)
    with written(JsonFormatter(), logging.DEBUG) as stream:
        async with observed(tmp_path / "sound") as stack:
            await stack.client.report(asked)
            await stack.client.report([event("refused", EventKind.LIKE, time_ms=1, room_id=ROOM, user_id=USER)])
            await stack.client.recommend(USER)
            with pytest.raises(grpc.aio.AioRpcError):
                await stack.client.recommend(USER, scene=TITLE)
        async with observed(tmp_path / "broken", change=with_a_full_disk) as stack:
            with pytest.raises(grpc.aio.AioRpcError):
                await stack.client.report(asked)
    assert "the disk is full" in stream.getvalue()
    for secret in (USER, TITLE, ROOM):
        assert secret not in stream.getvalue()


def test_a_service_writes_json_lines_and_shows_metrics_when_told_so(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    with ServiceProcess(tmp_path, "--log-format", "json", "--metrics-address", address) as service:
        assert service.stop() == 0
    lines = [json.loads(line) for line in (tmp_path / "service.log").read_text().splitlines()]
    assert f"metrics on port {address.partition(':')[2]}" in [line["message"] for line in lines]
