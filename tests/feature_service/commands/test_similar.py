"""`python -m feature_service similar` against a running service, in this process."""

import json
from argparse import ArgumentParser, Namespace
from asyncio import to_thread
from pathlib import Path

import pytest

from feature_service.clock import wall_clock
from feature_service.commands import similar
from feature_service.features.catalog import build_catalog
from feature_service.features.events import Event, EventKind
from serving.verbs import UserError
from tests.feature_service.live_platform import CONTENT_WIDTH
from tests.feature_service.recall.served_channels import neighbours
from tests.feature_service.running_service import running
from tests.feature_service.scripted_model_server import serving


def arguments(*given: str) -> Namespace:
    parser = ArgumentParser()
    similar.add_arguments(parser)
    return parser.parse_args(["--streamer", "anna", *given])


async def test_prints_the_neighbours_for_people_and_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models = {"item_cf": neighbours(build_catalog(CONTENT_WIDTH), {"[b]ben": (0.75, "")})}
    started = Event("start", EventKind.ROOM_STARTED, wall_clock(), room_id="ben/1", streamer_id="[b]ben")
    async with serving(models) as server, running(tmp_path, [server.target]) as stack:
        await stack.client.report([started])
        assert await to_thread(similar.run, arguments("--address", stack.target)) == 0
        printed = capsys.readouterr().out
        assert await to_thread(similar.run, arguments("--address", stack.target, "--json")) == 0
    assert "anna: 1 similar (item_cf v1)" in printed
    assert "[b]ben" in printed
    assert json.loads(capsys.readouterr().out) == {
        "streamers": [{"streamer_id": "[b]ben", "score": 0.75, "room_id": "ben/1"}],
        "model_version": "1",
    }


async def test_refusal_is_one_line_with_its_status(tmp_path: Path) -> None:
    async with running(tmp_path) as stack:
        with pytest.raises(UserError, match="INVALID_ARGUMENT: k: expected 1 to 100, received 0"):
            await to_thread(similar.run, arguments("--address", stack.target, "-k", "0"))


def test_what_the_api_cannot_hold_is_the_users_mistake() -> None:
    with pytest.raises(UserError, match="expected arguments that the API can hold"):
        similar.run(arguments("-k", str(2**40)))
