"""DIN: target attention against the mean, in one net."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from feature_service.features.layout import HISTORY_FLOATS, HISTORY_IDS, USER_FLOATS, USER_IDS
from tests.training.layers.blueprints import toy_blueprint
from tests.training.worlds import toy_world
from training.data.examples import Batch, Examples
from training.layers.blueprint import Blueprint
from training.layers.dice import Dice
from training.models.ranking.din import Din, DinOptions

SAMPLES = toy_world(20, seed=3).samples
BLUEPRINT = toy_blueprint()


def din(blueprint: Blueprint = BLUEPRINT, **options: Any) -> Any:
    return Din(blueprint, DinOptions(size=6, unit=(5,), tower=(8, 4), match=4, **options))


def batch(blueprint: Blueprint = BLUEPRINT) -> dict[str, tf.Tensor]:
    values: Batch = Examples.of(SAMPLES, blueprint.layout).batch(np.arange(20), 0)
    return {name: tf.constant(value) for name, value in values.items()}


@pytest.mark.parametrize("attention", ["target", "mean"])
def test_a_batch_of_viewers_is_answered_as_one_by_one(attention: str):
    model, inputs = din(attention=attention), batch()
    model.compute_loss(inputs, training=True)
    together = model.predictions(inputs, inputs["slate"]).numpy()
    for viewer in (0, 7):
        mine = inputs["slate"].numpy() == viewer
        user_side = (USER_FLOATS, USER_IDS, HISTORY_FLOATS, HISTORY_IDS)
        one = {t.name: inputs[t.name][viewer : viewer + 1] for t in BLUEPRINT.layout.tensors if t.name in user_side}
        one |= {t.name: inputs[t.name][mine] for t in BLUEPRINT.layout.tensors if t.name not in user_side}
        assert model.predictions(one).numpy() == pytest.approx(together[mine], rel=1e-4, abs=1e-5)


def test_both_attentions_are_the_same_net_but_for_the_activation_unit():
    sizes = {}
    for attention in ("target", "mean"):
        model = din(attention=attention)
        model.compute_loss(batch(), training=False)
        own = {id(variable) for variable in model.attention.variables} if model.attention else set()
        sizes[attention] = sum(v.numpy().size for v in model.trainable_variables if id(v) not in own)
    assert sizes["target"] == sizes["mean"]


@pytest.mark.parametrize("attention", ["target", "mean"])
def test_only_training_moves_the_moments(attention: str):
    model, inputs = din(attention=attention), batch()

    def moments() -> list[list[float]]:
        return [layer.mean.numpy().tolist() for layer in model.submodules if isinstance(layer, Dice)]

    model.compute_loss(inputs, training=False)
    model.predictions(inputs, inputs["slate"])
    assert not np.concatenate(moments()).any()
    model.compute_loss(inputs, training=True)
    assert all(np.any(mean) for mean in moments())


def test_viewers_can_have_nothing_but_a_history():
    alone = replace(BLUEPRINT, layout=replace(BLUEPRINT.layout, tensors=BLUEPRINT.layout.tensors[2:]))
    assert np.isfinite(din(alone).compute_loss(batch(alone), training=True))


def test_data_without_a_history_are_refused():
    plain = replace(BLUEPRINT, layout=BLUEPRINT.layout.select(t.name for t in BLUEPRINT.layout.tensors if not t.length))
    with pytest.raises(ValueError, match="expected a watched sequence on the user side, received none"):
        din(plain).compute_loss(batch(plain), training=False)


def test_an_unknown_attention_is_refused():
    with pytest.raises(ValueError, match=r"attention: expected one of \['target', 'mean'\], received 'max'"):
        DinOptions(attention="max")
