"""Incremental training: each step learns what is new, is judged on what nobody has learnt, and is published."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from training.data.erased import Erased
from training.data.sample_set import build_samples
from training.data.simulation.settings import SimulationSettings
from training.data.simulator import simulate, write_simulated
from training.held_keys import holds_keys
from training.incremental import Step, go_on
from training.run import Places
from training.run_config import ConfigError, RunConfig, parse_config
from training.trained import RunFiles

HOUR_MS = 3_600_000
SETTINGS = SimulationSettings(users=500, streamers=60, days=0.6, update_minutes=10)
EARLY_MS = SETTINGS.start_ms + 11 * HOUR_MS


def config(model: str = "dnn") -> RunConfig:
    ranker = model == "dnn"
    return parse_config(
        {
            "model": model,
            "features": {"user": ["user.id", "user.enter.*"], "candidate": ["streamer.id", "room.*"]},
            "heads": {"enter": 1.0, "long_watch": 1.0} if ranker else {},
            "options": {"bottom": [16], "tower": [8], "match": 8} if ranker else {},
            "training": {"batch_slates": 64, "epochs": 1},
        },
        "test",
    )


@dataclass(frozen=True, slots=True)
class World:
    """Sample sets of a log as it was in the morning, and as it was later."""

    early: str
    late: str


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("world")
    events = list(simulate(SETTINGS))
    for name, until_ms in (("early", EARLY_MS), ("late", SETTINGS.end_ms)):
        write_simulated((event for event in events if event.time_ms < until_ms), SETTINGS, folder / name)
        build_samples(folder / name, folder / f"{name}-samples")
    return World(str(folder / "early-samples"), str(folder / "late-samples"))


@pytest.fixture(scope="module")
def stepped(world: World, tmp_path_factory: pytest.TempPathFactory) -> tuple[Places, list[Step]]:
    """Two steps, one on what the morning tells and one on what is new later."""
    root = tmp_path_factory.mktemp("stepped")
    places = Places(root / "work", root / "models")
    steps = [go_on(config(), samples, places) for samples in (world.early, world.late)]
    return places, [step for step in steps if step is not None]


def files(step: Step) -> RunFiles:
    assert isinstance(step.folder, Path)
    return RunFiles.read(step.folder / "dnn")


def test_the_first_step_learns_all_and_the_next_what_is_new(stepped: tuple[Places, list[Step]]) -> None:
    first, second = stepped[1]
    assert (first.since_ms, first.before, first.drift) == (0, None, ())
    assert second.since_ms == files(first).learnt_until_ms < EARLY_MS
    assert files(second).learnt_until_ms > EARLY_MS
    assert second.slates < first.slates


def test_the_earlier_model_is_asked_about_what_it_has_not_seen(stepped: tuple[Places, list[Step]]) -> None:
    first, second = stepped[1]
    assert second.before is not None
    assert set(second.before.heads) == {"enter", "long_watch", "long_watch|enter"}
    assert second.before.heads["enter"].metrics["gauc"].value is not None
    assert second.before.impressions > 0
    assert files(second).seen_until_ms > files(first).seen_until_ms


def test_every_accepted_step_is_a_version(stepped: tuple[Places, list[Step]]) -> None:
    published = [step.run.published for step in stepped[1]]
    assert [each.manifest.version for each in published if each] == [1, 2]


def test_features_are_compared_with_those_before(stepped: tuple[Places, list[Step]]) -> None:
    found = {each.spec.partition("@")[0] for each in stepped[1][1].drift}
    assert "streamer.id" in found
    assert not any(name.startswith("context.") for name in found)


def test_without_anything_new_there_is_no_step(world: World, stepped: tuple[Places, list[Step]]) -> None:
    assert go_on(config(), world.late, stepped[0]) is None


def test_a_refused_step_is_not_gone_on_from(world: World, tmp_path: Path) -> None:
    """A drift that is too great refuses; the next step begins where the last accepted one ended."""
    places = Places(tmp_path / "work", tmp_path / "models")
    first = go_on(config(), world.early, places)
    refused = go_on(config(), world.late, places, most_drift=0.0)
    again = go_on(config(), world.late, places)
    assert first is not None
    assert refused is not None
    assert again is not None
    assert not refused.run.decision.accepted
    assert "expected a stability index of at most 0 against the time before" in refused.run.decision.reasons[0]
    assert refused.run.published is None
    assert refused.since_ms == again.since_ms
    assert [Path(str(step.folder)).name for step in (first, refused, again)] == ["00001", "00002", "00003"]
    assert again.run.published is not None
    assert again.run.published.manifest.version == 2


def test_a_step_knows_no_erased_user_and_the_ones_that_did_go(world: World, tmp_path: Path) -> None:
    places = Places(tmp_path / "work", tmp_path / "models")
    first = go_on(config(), world.early, places)
    assert first is not None
    user = files(first).blueprint.fitted.vocabularies["user"][:1]
    second = go_on(config(), world.late, places, erased=Erased.of({int(user[0]): SETTINGS.end_ms}))
    assert second is not None
    assert second.run.published is not None
    assert [path.name for path in (tmp_path / "work").glob("*/dnn")] == ["dnn"]
    assert [holds_keys(tmp_path / "models" / "dnn" / version, user) for version in "12"] == [True, False]
    assert not holds_keys(tmp_path / "work", user)


def test_a_model_that_cannot_go_on_says_so(world: World, stepped: tuple[Places, list[Step]], tmp_path: Path) -> None:
    assert isinstance(stepped[1][0].folder, Path)
    places = Places(tmp_path / "work", tmp_path / "models")
    with pytest.raises(ConfigError, match="model two_tower: expected a ranker that learns by gradient alone"):
        go_on(config("two_tower"), world.late, places, since=stepped[1][0].folder / "dnn")
