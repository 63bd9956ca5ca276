"""What export refuses, and what the check finds."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.training.worlds import ENCODINGS, toy_world
from training.export import ExportError, export, load_signatures
from training.export_check import export_check
from training.layers.fitted import fit
from training.run_config import choose, parse_config
from training.trained import Model, RunFiles, blueprint_of, build

SAMPLES = toy_world(20, seed=1).samples


@pytest.fixture
def model() -> Model:
    table = {
        "model": "mmoe",
        "features": {"user": ["user.*"], "candidate": ["*"]},
        "heads": {"enter": 1.0, "watch_time": 1.0},
        "options": {"experts": 2, "expert": [8], "tower": [4]},
    }
    config = parse_config(table, "test")
    layout = choose(SAMPLES.layout, config.features, ("enter", "watch_time"))
    fitted = fit(SAMPLES, layout, ENCODINGS, min_count=1)
    return build(RunFiles(config, blueprint_of(config, layout, ENCODINGS, fitted)))


def test_an_existing_directory_is_not_overwritten(model: Model, tmp_path: Path):
    with pytest.raises(ExportError, match="expected a directory that does not exist yet"):
        export(model, tmp_path)


def test_a_directory_without_a_saved_model_is_named(tmp_path: Path):
    with pytest.raises(ExportError, match=r"expected a SavedModel, received a directory without saved_model.pb"):
        load_signatures(tmp_path)


def test_a_model_that_answers_differently_is_found(model: Model, tmp_path: Path):
    export(model, tmp_path / "exported")
    assert export_check(model, tmp_path / "exported", SAMPLES) < 1e-5
    model.trainable_variables[-1].assign_add(tf.ones_like(model.trainable_variables[-1]))
    with pytest.raises(ExportError, match=r"expected served outputs within 0.0001 of trained ones, received"):
        export_check(model, tmp_path / "exported", SAMPLES)


def test_a_model_that_is_not_finite_is_found(model: Model, tmp_path: Path):
    model.trainable_variables[-1].assign(tf.fill(model.trainable_variables[-1].shape, np.nan))
    export(model, tmp_path / "exported")
    with pytest.raises(ExportError, match="expected finite outputs, received nan"):
        export_check(model, tmp_path / "exported", SAMPLES)
