"""`python -m feature_service ask` against a running service, in this process."""

from argparse import ArgumentParser, Namespace
from asyncio import to_thread
from pathlib import Path

import pytest

from feature_service.clock import wall_clock
from feature_service.commands import ask
from feature_service.features.events import Event, EventKind
from serving.verbs import UserError
from tests.feature_service.running_service import running


def arguments(*given: str) -> Namespace:
    parser = ArgumentParser()
    ask.add_arguments(parser)
    return parser.parse_args(["--user", "viewer", *given])


async def test_a_title_is_printed_as_its_streamer_wrote_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    started = Event("start", EventKind.ROOM_STARTED, wall_clock(), room_id="a", streamer_id="s", title="[/b]:fire:")
    async with running(tmp_path) as stack:
        await stack.client.report([started])
        assert await to_thread(ask.run, arguments("--address", stack.target, "--explain")) == 0
    assert "[/b]:fire:" in capsys.readouterr().out


@pytest.mark.parametrize("given", [["-k", str(2**40)], ["--scene", "\udcff"]])
def test_what_the_api_cannot_hold_is_the_users_mistake(given: list[str]) -> None:
    with pytest.raises(UserError, match="expected arguments that the API can hold"):
        ask.run(arguments(*given))
