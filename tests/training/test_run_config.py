"""The configuration of a run."""

import json
from pathlib import Path

import pytest

from feature_service.features.layout import CANDIDATE_IDS, HISTORY_IDS, USER_IDS
from tests.training.worlds import toy_layout
from training.models import MODELS
from training.run_config import ConfigError, FeatureChoice, choose, load_config, parse_config

CONFIGS = Path(__file__).parents[2] / "training" / "configs"
MINIMAL = {"model": "mmoe", "features": {"user": ["*"], "candidate": ["*"]}}


def write(directory: Path, text: str) -> Path:
    path = directory / "run.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_model_has_a_configuration_that_loads(name: str):
    assert load_config(CONFIGS / f"{name}.toml").model == name


@pytest.mark.parametrize("name", ["mmoe", "wide_deep"])
def test_a_configuration_survives_being_written_down(name: str):
    run = load_config(CONFIGS / f"{name}.toml")
    assert parse_config(json.loads(json.dumps(run.to_dict())), "run.json") == run


def test_what_is_left_out_has_defaults():
    run = parse_config(MINIMAL, "run.toml")
    assert run.options == MODELS["mmoe"].Options()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"model": "mmoee"}, r"run.toml: model: expected one of \['.*'esmm', .*\], received 'mmoee'"),
        ({"lerning_rate": 1}, "run.toml: lerning_rate: expected one of .*'training'"),
        ({"training": {"epoch": 3}}, "run.toml: training.epoch: expected one of .*'epochs'"),
        ({"options": {"expert_count": 3}}, "run.toml: options.expert_count: expected one of .*'experts'"),
        ({"training": {"epochs": "3"}}, "run.toml: training.epochs: expected a whole number, received '3'"),
        ({"training": {"epochs": 0}}, "run.toml: training.epochs: expected a number above 0, received 0"),
        ({"training": {"optimizer": "adamm"}}, "run.toml: training.optimizer: expected one of .*received 'adamm'"),
        ({"options": {"expert": [64, "32"]}}, "run.toml: options.expert: expected a whole number, received '32'"),
        ({"heads": {"entre": 1.0}}, "run.toml: heads: expected heads among .*received 'entre'"),
        ({"heads": {"enter": True}}, "run.toml: heads.enter: expected a number, received True"),
        ({"seed": 2**32}, "run.toml: seed: expected a number below 4294967296, received 4294967296"),
        ({"inputs": 3}, "run.toml: inputs: expected a table, received 3"),
        (
            {"inputs": {"embedding_l2": -1e-3}},
            "run.toml: inputs.embedding_l2: expected 0 or a number above 0, received -0.001",
        ),
        (
            {"model": "mf", "inputs": {"embedding_l2": 0.1}},
            "run.toml: inputs.embedding_l2: expected 0 of the recall model mf, received 0.1",
        ),
        (
            {"model": "lr", "options": {"crosses": [["user.id"]]}},
            r"run.toml: options.crosses: expected a list of 2, received \['user.id'\]",
        ),
        (
            {"model": "lr", "options": {"crosses": ["user.id"]}},
            "run.toml: options.crosses: expected a list, received 'user.id'",
        ),
        ({"features": {"user": ["*"]}}, "run.toml: features.candidate: expected a value, received none"),
    ],
)
def test_a_mistake_names_file_key_and_what_was_expected(table: dict, message: str):
    with pytest.raises(ConfigError, match=message):
        parse_config(MINIMAL | table, "run.toml")


def test_a_missing_file_is_one_line(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"none.toml: expected a run's TOML file, received No such file"):
        load_config(tmp_path / "none.toml")


def test_a_file_that_is_no_toml_is_named(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"run.toml: expected TOML"):
        load_config(write(tmp_path, "model = "))


def test_patterns_choose_columns_and_take_away():
    choice = FeatureChoice(user=("user.*", "!user.watched.category"), candidate=("streamer.*",))
    chosen = choose(toy_layout(), choice, ("enter",))
    assert [column.name for column in chosen[USER_IDS].columns] == ["user.id"]
    assert [column.name for column in chosen[HISTORY_IDS].columns] == ["user.watched.streamer"]
    assert [column.name for column in chosen[CANDIDATE_IDS].columns] == ["streamer.id"]
    assert chosen.heads == ("enter",)


def test_patterns_that_match_nothing_are_refused():
    choice = FeatureChoice(user=("*",), candidate=("rom.*",))
    with pytest.raises(ConfigError, match=r"features.candidate: expected patterns that match one of .*'rom"):
        choose(toy_layout(), choice, ())


def test_floats_of_the_history_need_its_keys():
    choice = FeatureChoice(user=("user.id", "user.watched.dwell_s"), candidate=("*",))
    with pytest.raises(ConfigError, match=r"features.user: expected a key of the history too, as .*streamer"):
        choose(toy_layout(), choice, ())
