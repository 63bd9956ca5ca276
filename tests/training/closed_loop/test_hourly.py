"""The arm `hourly` on a real stack: a ranker that goes on with what its own loop has led to."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from feature_service import settings
from feature_service.assembly import SERVED_FOLDER
from feature_service.scenes import arm_of
from feature_service.served.slate import ServedSlate
from feature_service.settings import SettingsError
from serving.launch import start_model_server
from training.closed_loop.history import History, fresh_service_data, live_through, loop_world
from training.closed_loop.hourly import ARM, HourlyRanker, served_name, with_hourly_arm
from training.closed_loop.loop import Loop, Outcomes
from training.closed_loop.stack import Clock, served
from training.data.dataset import Dataset
from training.data.sample_set import build_samples
from training.data.service_log import read_served
from training.data.simulation.settings import Calibration, SimulationSettings
from training.demo import DemoFolders, write_models_config
from training.run import Places, run_model
from training.run_config import parse_config

CALIBRATION = Calibration(slates_per_user_day=180.0)
SETTINGS = SimulationSettings(users=100, streamers=120, days=0.25, update_minutes=10, calibration=CALIBRATION)
MINUTES = 134
"""From 06:00 on: what is shown from 06:00 and from 07:00 on is learnt from at 07:10 and 08:10."""

CONFIG = parse_config(
    {
        "model": "dnn",
        "features": {"user": ["user.id"], "candidate": ["streamer.id", "room.viewers"]},
        "heads": {"enter": 1.0},
        "options": {"bottom": [8], "tower": [4], "match": 4},
        "training": {"batch_slates": 128, "epochs": 1},
    },
    "test",
)


@pytest.fixture
def trained(tmp_path: Path) -> tuple[DemoFolders, History]:
    """A history, with a ranker trained on it and settings by which it ranks hot rooms."""
    folders = DemoFolders(tmp_path)
    history = live_through(loop_world(SETTINGS, MINUTES), SETTINGS.days, folders, lambda _: None)
    build_samples(folders.log, folders.samples)
    run_model(CONFIG, Dataset.read(folders.samples), Places(folders.training, folders.models))
    fresh_service_data(folders)
    held = (folders.samples / "settings.toml").read_text(encoding="utf-8")
    text = f'{held}\n[scene]\nranker = "dnn"\n[scene.channels]\nhot = 100\n'
    (folders.root / "plain.toml").write_text(text, encoding="utf-8")
    return folders, history


async def looped(folders: DemoFolders, history: History) -> list[ServedSlate]:
    """Two hours in which every viewer is the stack's; what was served."""
    world, parted = history.simulation.world.settings, folders.root / "hourly.toml"
    with_hourly_arm(folders.root / "plain.toml", parted)
    simulation, config = history.simulation, folders.root / "models.config"
    clock = Clock(world.start_ms + simulation.now_ms)
    hourly = HourlyRanker(CONFIG, folders, clock.now_ms)
    write_models_config({"dnn": folders.models / "dnn", served_name("dnn"): hourly.base_path}, config)
    with start_model_server({"model_config_file": config}, log_path=folders.root / "server.log") as server:
        async with served(parted, folders.service, server.target, clock, simulation.room_ids) as stack:

            async def after_step(_: int) -> None:
                await hourly.keep_up(clock.now_ms, server.target, stack)

            loop = Loop(simulation, {"onair": stack}, np.zeros(world.users, np.int64), Outcomes.none(world.users))
            await loop.run(MINUTES, stack, history.popularity, after_step)
    assert (hourly.versions, hourly.refused) == ([1, 2, 3], 0)
    return list(read_served(folders.service / SERVED_FOLDER))


@pytest.mark.slow
async def test_the_arm_is_served_by_a_version_made_of_the_hour_before_and_the_others_by_the_first(
    trained: tuple[DemoFolders, History],
) -> None:
    slates = await looped(*trained)
    arms = settings.load(trained[0].root / "hourly.toml").arms
    assert {slate.arm for slate in slates} == {"", ARM}
    found: dict[tuple[str, str, int], set[int]] = {}
    for slate in slates:
        arm = arm_of(arms, slate.user_id)
        assert slate.arm == (arm.name if arm else "")
        minute = (slate.served_ms - SETTINGS.end_ms) // 60_000
        found.setdefault((slate.arm, slate.ranker, slate.ranker_version), set()).add(minute)
    assert set(found) == {("", "dnn", 1), *((ARM, "dnn_hourly", version) for version in (1, 2, 3))}
    spans = [(min(found[ARM, "dnn_hourly", version]), max(found[ARM, "dnn_hourly", version])) for version in (1, 2, 3)]
    assert spans == [(0, 68), (70, 128), (130, 132)]


def test_other_arms_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text("[arms.gifts]\nshare = 0.1\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="arms: expected none beside hourly, received gifts"):
        with_hourly_arm(path, tmp_path / "hourly.toml")


def test_every_scene_of_the_arm_has_the_other_ranker_and_half_of_the_viewers(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text("", encoding="utf-8")
    (arm,) = with_hourly_arm(path, tmp_path / "hourly.toml").arms
    assert (arm.name, arm.share) == ("hourly", 0.5)
    assert {scene.ranker for scene in arm.scenes.values()} == {"mmoe_hourly"}
    assert replace(arm.scenes["home"], ranker="mmoe", arm="") == settings.load().scene("home")
