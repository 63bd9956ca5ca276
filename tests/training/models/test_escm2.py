"""ESCM²: what it adds to ESMM's losses, and what of it is served."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.training.layers.blueprints import toy_blueprint
from tests.training.worlds import toy_world
from training.data.examples import Batch, Examples
from training.models.ranking.escm2 import Escm2, Escm2Options
from training.models.ranking.esmm import Esmm

SAMPLES = toy_world(30, seed=3).samples
HEADS = ("enter", "long_watch")
BLUEPRINT = replace(
    toy_blueprint(), layout=replace(SAMPLES.layout, heads=HEADS), head_weights=dict.fromkeys(HEADS, 1.0)
)
BATCH: Batch = Examples.of(SAMPLES, BLUEPRINT.layout).batch(np.arange(30), 0)


def escm2(**options: Any) -> Any:
    return Escm2(BLUEPRINT, Escm2Options(tower=(8,), match=4, **options))


def losses(model: Any, raw: np.ndarray, batch: Batch = BATCH) -> dict[str, float]:
    inputs = {name: tf.constant(values) for name, values in batch.items()}
    return {head: float(loss) for head, loss in model.head_losses(inputs, tf.constant(raw)).items()}


def raw_outputs(columns: int) -> np.ndarray:
    return np.random.default_rng(8).normal(size=(len(BATCH["slate"]), columns)).astype(np.float32)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def test_the_risk_of_those_who_entered_is_added_by_inverse_propensity():
    model, raw = escm2(counterfactual_weight=0.5, global_weight=2.0, least_propensity=0.3), raw_outputs(2)
    whole = losses(Esmm(BLUEPRINT, Escm2Options(tower=(8,), match=4)), raw)
    entered, watched = BATCH["labels"].T
    weights = entered / np.maximum(sigmoid(raw[:, 0]), 0.3)
    p = sigmoid(raw[:, 1])
    errors = -watched * np.log(p) - (1 - watched) * np.log(1 - p)
    found = losses(model, raw)
    assert found["enter"] == pytest.approx(whole["enter"])
    risk = (weights * errors).sum() / weights.sum()
    assert found["long_watch"] == pytest.approx(2.0 * whole["long_watch"] + 0.5 * risk, rel=1e-5)


@pytest.mark.parametrize("counterfactual", ["ips", "dr"])
def test_an_impression_without_a_label_adds_nothing(counterfactual: str):
    model, raw = escm2(counterfactual=counterfactual), raw_outputs(3 if counterfactual == "dr" else 2)
    mask, other = BATCH["mask"].copy(), BATCH["labels"].copy()
    mask[::3, 1] = False
    other[::3, 1] = 1 - other[::3, 1]
    masked, changed = BATCH | {"mask": mask}, BATCH | {"mask": mask, "labels": other}
    assert losses(model, raw, masked) == losses(model, raw, changed)
    assert losses(model, raw, masked)["long_watch"] != losses(model, raw)["long_watch"]


def test_imputation_is_there_in_training_and_not_in_serving():
    model = escm2(counterfactual="dr")
    inputs = {name: tf.constant(values) for name, values in BATCH.items()}
    assert model.raw(inputs, inputs["slate"]).shape == (len(BATCH["slate"]), 3)
    assert np.isfinite(model.compute_loss(inputs, training=True))
    one = {tensor.name: inputs[tensor.name][:1] for tensor in BLUEPRINT.layout.tensors}
    assert model.raw(one).shape == (1, 2)
    served = tf.function(lambda tensors: model.predictions(tensors)).get_concrete_function(one)
    variables = {id(variable) for variable in served.variables}
    assert not variables & {id(variable) for variable in model.imputation.variables}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"counterfactual": "dre"}, r"counterfactual: expected one of \['ips', 'dr'\], received 'dre'"),
        ({"least_propensity": 1.5}, "least_propensity: expected at most 1, received 1.5"),
    ],
)
def test_options_that_mean_nothing_are_refused(options: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        Escm2Options(**options)
