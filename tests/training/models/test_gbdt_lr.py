"""GBDT+LR: which slates its trees and its weights learn from, and which heads have trees."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from tests.training.layers.blueprints import toy_blueprint
from tests.training.worlds import ENCODINGS, HEADS, toy_world
from training.data.examples import Examples
from training.data.samples import Samples
from training.models.ranking.gbdt_lr import GbdtLr, GbdtLrOptions
from training.run_config import parse_config
from training.train import Progress, train

SLATES = 80
TRAINING = toy_world(SLATES, seed=1).samples
VALIDATION = toy_world(30, seed=2, start_ms=SLATES * 1000).samples

EARLIER = np.arange(SLATES) < SLATES // 4
"""The slates of the trees at a share of a quarter: the toy world has a slate a second."""


def gbdt_lr(training: Samples = TRAINING, heads: tuple[str, ...] = HEADS, **options: Any) -> Any:
    """A model before its first step, its trees grown."""
    chosen = GbdtLrOptions(**{"trees": 3, "leaves": 4, "least_rows": 5, "tree_share": 0.25} | options)
    blueprint = toy_blueprint()
    model: Any = GbdtLr(replace(blueprint, layout=replace(blueprint.layout, heads=heads)), chosen)
    losses(model, np.arange(1))  # Makes the variables.
    keras.utils.set_random_seed(5)
    model.prepare(training, VALIDATION, batch_slates=16)
    return model


def losses(model: GbdtLr, slates: np.ndarray) -> dict[str, float]:
    """The loss of each head over some training slates."""
    examples = Examples.of(TRAINING, model.layout)
    inputs = {name: tf.constant(values) for name, values in examples.batch(slates, step=1).items()}
    raw = model.raw(inputs, inputs["slate"])
    return {head: float(loss) for head, loss in model.head_losses(inputs, raw).items()}


def with_other_labels(of: np.ndarray) -> Samples:
    """The training samples with the labels 0 and 1 of some slates, bool [U], the other way around."""
    candidates = TRAINING.candidates
    turned = of[candidates.slate, np.newaxis] & (candidates.labels <= 1)
    return replace(
        TRAINING, candidates=replace(candidates, labels=np.where(turned, 1 - candidates.labels, candidates.labels))
    )


def have_the_same_trees(one: GbdtLr, two: GbdtLr) -> bool:
    return all(
        np.array_equal(mine, theirs)
        for layers in ((one.trees, two.trees), (one.leaf_weights, two.leaf_weights))
        for mine, theirs in zip(layers[0].variables, layers[1].variables, strict=True)
    )


def test_trees_are_grown_on_the_earlier_slates_alone():
    model = gbdt_lr()
    assert model.leaf_weights.scale.numpy().any()
    assert have_the_same_trees(model, gbdt_lr(with_other_labels(~EARLIER)))
    assert not have_the_same_trees(model, gbdt_lr(with_other_labels(EARLIER & (np.arange(SLATES) >= SLATES // 8))))


def test_weights_are_learnt_from_the_later_slates_alone():
    model = gbdt_lr()
    earlier, later = np.flatnonzero(EARLIER), np.flatnonzero(~EARLIER)
    assert losses(model, earlier) == dict.fromkeys(HEADS, 0.0)
    assert losses(model, np.arange(SLATES)) == pytest.approx(losses(model, later))
    assert min(losses(model, later[:1]).values()) > 0  # The first of the later ones counts.


def test_trees_and_weights_learn_from_all_slates_at_a_share_of_1():
    model = gbdt_lr(tree_share=1.0)
    assert min(losses(model, np.flatnonzero(EARLIER)).values()) > 0
    assert not have_the_same_trees(model, gbdt_lr(with_other_labels(~EARLIER), tree_share=1.0))


def test_every_head_that_is_a_probability_starts_from_a_forest_of_its_own():
    model = gbdt_lr()
    table = model.leaf_weights.table.numpy()
    forests = {"enter": 0, "long_watch": 3, "like": 6}  # Three trees each; watch time is no probability.
    assert model.trees_of == tuple(forests)
    for head, place in model.places.items():
        for output in range(place.start, place.stop):
            first = forests.get(head)
            own = np.zeros(len(table), np.bool_)
            if first is not None:
                own[first : first + 3] = True
            assert table[own, :, output].any() == (first is not None)
            assert not table[~own, :, output].any()


def test_training_begins_with_what_the_trees_know():
    later = np.flatnonzero(~EARLIER)
    boosted = losses(gbdt_lr(trees=20, shrinkage=0.3, column_share=1.0), later)
    without = losses(gbdt_lr(replace(TRAINING, candidates=without_labels(TRAINING))), later)
    assert boosted["enter"] < 0.5 * without["enter"]


def without_labels(samples: Samples) -> Any:
    return replace(samples.candidates, mask=np.zeros_like(samples.candidates.mask))


def test_only_the_heads_that_are_named_have_trees():
    assert gbdt_lr(trees_of=("like",)).leaf_weights.table.shape[0] == 3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: gbdt_lr(trees_of=("enter", "gift")), r"trees_of: expected \['enter', 'gift'\] among the heads \['ent"),
        (lambda: gbdt_lr(heads=("watch_time",)), r"trees_of: expected a probability among the heads \['watch_time'\]"),
        (lambda: gbdt_lr(trees_of=("watch_time",)), "trees_of: expected heads that are probabilities, received 'watch"),
        (lambda: gbdt_lr(trees_of=("entre",)), "trees_of: expected heads that are probabilities, received 'entre'"),
        (lambda: gbdt_lr(leaves=33), "leaves: expected 2 to 32, received 33"),
        (lambda: gbdt_lr(tree_share=1.5), "tree_share: expected a share, at most 1, received 1.5"),
    ],
)
def test_trees_that_cannot_be_grown_are_refused(make: Callable[[], GbdtLr], message: str):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_killed_run_grows_the_same_trees_again_and_ends_with_the_same_weights(tmp_path: Path):
    run = parse_config(
        {
            "model": "gbdt_lr",
            "features": {"user": ["user.enter.*"], "candidate": ["room.*", "streamer.id"]},
            "heads": {"enter": 1.0, "long_watch": 1.0},
            "options": {"trees": 3, "leaves": 4, "least_rows": 5, "column_share": 0.5},
            "training": {"batch_slates": 40, "epochs": 2, "patience": 2},
        },
        "test",
    )

    class KilledError(Exception):
        """Stands for a machine that goes away."""

    def kill(progress: Progress) -> None:
        if (progress.epoch, progress.batch) == (2, 1):
            raise KilledError

    whole = train(run, TRAINING, VALIDATION, tmp_path / "whole", encodings=ENCODINGS).model
    with pytest.raises(KilledError):
        train(run, TRAINING, VALIDATION, tmp_path / "killed", encodings=ENCODINGS, on_progress=kill)
    epochs: list[int] = []
    resumed = train(
        run,
        TRAINING,
        VALIDATION,
        tmp_path / "killed",
        encodings=ENCODINGS,
        on_progress=lambda progress: epochs.append(progress.epoch),
    ).model
    assert set(epochs) == {2}
    for one, two in zip(whole.variables, resumed.variables, strict=True):
        assert np.allclose(one, two, atol=1e-5), one.name
