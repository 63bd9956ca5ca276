"""`python -m training join`, and `train` on what it has written."""

import asyncio
import json
from pathlib import Path

import pytest

from feature_service.boot import LOG_FOLDER, SERVED_FOLDER
from tests.feature_service.served.showing import showing
from tests.training.tiny_run import TINY
from training.__main__ import main

REQUESTS = 30


async def serve(data: Path) -> None:
    """Viewers see slates and enter the first room, one after the other, for three quarters of an hour."""
    async with showing(data) as shown:
        for number in range(REQUESTS):
            await shown.see(f"viewer-{number % 5}", await shown.show(f"viewer-{number % 5}"))
        await shown.pass_hours(3)


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a service's data, and its settings."""
    folder = tmp_path_factory.mktemp("platform")
    asyncio.run(serve(folder / "service"))
    (folder / "settings.toml").write_text("[service]\ncontent_width = 2\n")
    return folder


def join(platform: Path, *more: str) -> int:
    """Runs the verb."""
    data = platform / "service"
    places = ["--log", str(data / LOG_FOLDER), "--served", str(data / SERVED_FOLDER)]
    return main(["join", *places, "--settings", str(platform / "settings.toml"), *more])


@pytest.mark.slow
def test_training_runs_on_joined_samples(platform: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    samples, config = tmp_path / "samples", tmp_path / "tiny.toml"
    assert join(platform, "--samples", str(samples), "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["slates"], told["candidates"], told["impressions"]) == (REQUESTS, 2 * REQUESTS, 2 * REQUESTS)
    assert (told["served_slates"], told["repeated_slates"], told["unseen_slates"]) == (REQUESTS, 0, 0)
    config.write_text(TINY)
    assert main(["train", "--samples", str(samples), "--config", str(config), "--out", str(tmp_path / "lr")]) == 0
    assert (tmp_path / "lr" / "history.json").exists()


def test_heads_and_delays_can_be_chosen(platform: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert join(platform, "--samples", str(tmp_path / "samples"), "--heads", "like", "enter", "--delays") == 0
    assert "enter, like" in capsys.readouterr().out  # In the order of the heads.


def test_a_head_without_labels_is_named(platform: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert join(platform, "--samples", str(tmp_path / "samples"), "--heads", "gift") != 0
    assert "heads: expected some of enter, long_watch, watch_time, like" in capsys.readouterr().err


def test_other_settings_than_the_services_are_told(
    platform: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.toml"
    other.write_text("[service]\ncontent_width = 9\n")
    assert join(platform, "--samples", str(tmp_path / "samples"), "--settings", str(other)) != 0
    assert "are the settings those of the service?" in capsys.readouterr().err
