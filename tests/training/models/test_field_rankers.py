"""The rankers that sum over features, and what holds embeddings back."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from feature_service.features.layout import CANDIDATE_FLOATS, CANDIDATE_IDS, HISTORY_IDS, USER_IDS
from tests.training.layers.blueprints import toy_blueprint
from tests.training.worlds import toy_layout, toy_world
from training.data.examples import Examples
from training.models.ranking import RANKERS

SAMPLES = toy_world(6, seed=2).samples
BATCH = {name: tf.constant(v) for name, v in Examples.of(SAMPLES, toy_layout()).batch(np.arange(6), step=3).items()}
CROSSES = (("user.id", "room.category"),)


def ranker(name: str, *, embedding_l2: float = 0.0, **options: Any) -> Any:
    blueprint = toy_blueprint()
    blueprint = replace(blueprint, sizes=replace(blueprint.sizes, embedding_l2=embedding_l2))
    return RANKERS[name](blueprint, RANKERS[name].Options(**options))


def raw(model: Any, **changed: np.ndarray) -> np.ndarray:
    return model.raw(BATCH | {name: tf.constant(values) for name, values in changed.items()}, BATCH["slate"]).numpy()


def test_lr_is_linear_a_room_adds_the_same_for_every_viewer():
    model = ranker("lr")
    model.raw(BATCH, BATCH["slate"])
    for variable in model.trainable_variables:
        variable.assign(tf.random.stateless_normal(variable.shape, (1, 2)))
    first, second = raw(model)[:2]  # One viewer, two rooms.
    users = {name: np.roll(SAMPLES.slates.tensors[name], 1, axis=0) for name in (USER_IDS, HISTORY_IDS)}
    other_first, other_second = raw(model, **users)[:2]
    assert not np.allclose(first, other_first)
    assert first - second == pytest.approx(other_first - other_second, abs=1e-4)


def test_a_cross_tells_what_a_viewer_thinks_of_a_category():
    model = ranker("lr", crosses=CROSSES)
    before = raw(model)
    rows, _ = model.crosses.rows(BATCH, BATCH["slate"])
    model.crosses.table.scatter_nd_add(rows[:1], tf.ones([1, before.shape[1]]))
    same = rows.numpy()[:, 0] == rows.numpy()[0, 0]
    assert 0 < same.sum() < len(same)
    added = np.repeat(same[:, np.newaxis], before.shape[1], axis=1).astype(float)
    assert raw(model) - before == pytest.approx(added, abs=1e-5)


@pytest.mark.parametrize("name", ["fm", "deepfm"])
def test_factors_make_the_worth_of_a_room_depend_on_the_viewer(name: str):
    model = ranker(name)
    first, second = raw(model)[:2]
    users = {USER_IDS: np.roll(SAMPLES.slates.tensors[USER_IDS], 1, axis=0)}
    other_first, other_second = raw(model, **users)[:2]
    assert np.abs((first - second) - (other_first - other_second)).max() > 1e-5


def test_deepfm_is_the_machine_and_the_tower_over_the_same_vectors():
    model = ranker("deepfm")
    user, candidate = model.user_inputs(BATCH), model.candidate_inputs(BATCH)
    (user, of_user), (candidate, of_candidate) = user.split(model.factors), candidate.split(model.factors)
    linear = model.linear(of_user, of_candidate, BATCH["slate"])
    machine = model.machine(user, candidate, BATCH["slate"])
    deep = model.deep(model.tower(user.row, candidate.row, BATCH["slate"]))
    assert raw(model) == pytest.approx((model.priors + linear + machine + deep).numpy(), abs=1e-5)


@pytest.mark.parametrize("name", ["lr", "mmoe"])
def test_embeddings_are_held_back_in_training_only(name: str):
    model, free = ranker(name, embedding_l2=0.5), ranker(name)
    model.compute_loss(BATCH)
    free.compute_loss(BATCH)
    for mine, theirs in zip(model.variables, free.variables, strict=True):
        theirs.assign(mine)
    model.embeddings.table.assign(tf.ones_like(model.embeddings.table))
    free.embeddings.table.assign(tf.ones_like(free.embeddings.table))
    keys = {key for name in (USER_IDS, HISTORY_IDS, CANDIDATE_IDS) for key in BATCH[name].numpy().ravel().tolist()}
    known = keys & set(model.embeddings.keys.numpy().tolist()) - {0}
    expected = 0.5 * len(known) * model.embeddings.size
    difference = model.compute_loss(BATCH, training=True) - free.compute_loss(BATCH, training=True)
    assert difference.numpy() == pytest.approx(expected, rel=1e-4)
    assert model.compute_loss(BATCH).numpy() == pytest.approx(free.compute_loss(BATCH).numpy())


def test_the_weights_of_crosses_are_held_back_too():
    model = ranker("wide_deep", embedding_l2=0.5, crosses=CROSSES)
    model.compute_loss(BATCH)
    before = model.penalty(BATCH).numpy()
    model.crosses.table.assign(tf.ones_like(model.crosses.table))
    pairs = {
        (int(BATCH[USER_IDS][viewer, 0]), int(BATCH[CANDIDATE_IDS][row, 4]))
        for row, viewer in enumerate(BATCH["slate"].numpy())
    }
    assert model.penalty(BATCH).numpy() - before == pytest.approx(0.5 * len(pairs) * len(model.priors), rel=1e-4)


def test_a_ranker_of_numbers_alone_has_nothing_to_hold_back():
    blueprint = toy_blueprint()
    layout = blueprint.layout.select(["user_floats", CANDIDATE_FLOATS])
    sizes = replace(blueprint.sizes, embedding_l2=0.5)
    model: Any = RANKERS["lr"](replace(blueprint, layout=layout, sizes=sizes), RANKERS["lr"].Options())
    assert model.compute_loss(BATCH, training=True).numpy() == pytest.approx(model.compute_loss(BATCH).numpy())
