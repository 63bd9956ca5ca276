"""Tests of settings that change while a service runs."""

import logging
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from feature_service.reload import SettingsFile
from tests.feature_service.running_service import LEAN, Running, running

SCENES = '[scenes.home]\nranker = ""\n[scenes.home.channels]\nhot = 10\n'


@dataclass(frozen=True, slots=True)
class Followed:
    """A running service and its settings file."""

    stack: Running
    path: Path
    file: SettingsFile

    def write(self, text: str, service: str = LEAN) -> None:
        """Changes the file, and lets the service look at it; two changes in one moment still differ."""
        before = self.path.stat().st_mtime_ns
        self.path.write_text(service + text)
        os.utime(self.path, ns=(before + 1, before + 1))
        self.file.look()


@asynccontextmanager
async def followed(folder: Path) -> AsyncGenerator[Followed]:
    async with running(folder / "data", more=SCENES) as stack:
        path = folder / "settings.toml"
        path.write_text(LEAN + SCENES)
        yield Followed(stack, path, SettingsFile(path, stack.service))


async def test_scene_that_is_added_is_answered_from_the_next_request_on(tmp_path: Path) -> None:
    async with followed(tmp_path) as service:
        service.write(SCENES + '[scenes.late]\nranker = ""\n[scenes.late.channels]\nhot = 5\n')
        answer = await service.stack.client.explain("viewer", 1, scene="late")
    assert answer.trace.scene == "late"


async def test_arms_are_taken_over(tmp_path: Path) -> None:
    async with followed(tmp_path) as service:
        service.write(SCENES + "[arms.all]\nshare = 1.0\n")
        answer = await service.stack.client.recommend("viewer", 1)
    assert answer.arm == "all"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[scenes.home]\nranks = 1\n", "scenes.home.ranks: unknown key"),
        ("[scenes.home\n", "expected TOML"),
        ("[scenes.home.channels]\nwarm = 1\n", "scenes.home.channels: expected"),
        (
            '[scenes.home]\nranker = "din"\n',
            "home.ranker: until the next start expected of the models mmoe, received 'din'",
        ),
        (
            "[scenes.home.channels]\nmf = 1\n",
            "home.channels: until the next start expected of the models mmoe, received 'mf'",
        ),
    ],
)
async def test_file_that_cannot_be_used_leaves_all_as_it_is_and_says_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str, said: str
) -> None:
    async with followed(tmp_path) as service:
        before = service.stack.service.settings
        service.write(text)
        assert service.stack.service.settings is before
    assert said in caplog.text


async def test_what_only_the_next_start_can_take_over_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with followed(tmp_path) as service:
        service.write("max_k = 7\n" + SCENES)
        assert service.stack.service.settings.service.max_k == 100
    assert "to take effect after the next start: service" in caplog.text


async def test_file_that_has_not_changed_is_not_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        async with followed(tmp_path) as service:
            service.file.look()
    assert "settings" not in caplog.text
