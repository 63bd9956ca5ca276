"""What is particular to NeuMF."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from feature_service.features.layout import CANDIDATE_IDS, USER_IDS, Layout
from tests.training.worlds import ENCODINGS, toy_world
from training.data.examples import Examples, LayoutMismatchError
from training.data.samples import Samples
from training.layers.fitted import fit
from training.models.recall.neumf import NeuMF
from training.run_config import choose, parse_config
from training.trained import RunFiles, blueprint_of, build

SAMPLES = NeuMF.examples(toy_world(12, seed=1).samples)
TABLE = {
    "model": "neumf",
    "features": {"user": ["user.id"], "candidate": ["streamer.id"]},
    "inputs": {"unseen_rows": 1},
    "options": {"factors": 3, "embedding": 2, "tower": [4, 3], "pretraining_epochs": 2, "negatives": 5, "l2": 0.5},
}


def built(features: dict[str, list[str]]) -> NeuMF:
    config = parse_config(TABLE | {"features": features}, "test")
    layout = choose(SAMPLES.layout, config.features, ())
    fitted = fit(Examples.of(SAMPLES, layout).samples, layout, ENCODINGS, min_count=1)
    model = build(RunFiles(config, blueprint_of(config, layout, ENCODINGS, fitted)))
    assert isinstance(model, NeuMF)
    return model


@pytest.fixture
def model() -> NeuMF:
    return built({"user": ["user.id"], "candidate": ["streamer.id"]})


def batch(model: NeuMF, samples: Samples = SAMPLES, step: int = 1) -> dict[str, tf.Tensor]:
    """All slates at once."""
    examples = Examples.of(samples, model.layout)
    return {name: tf.constant(v) for name, v in examples.batch(np.arange(len(examples)), step).items()}


def rows(model: NeuMF, inputs: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Embeddings of the viewers and of the distinct streamers, and which streamer each impression has."""
    keys, place = tf.unique(inputs[CANDIDATE_IDS][:, 0])
    return model.user_input(inputs[USER_IDS]), model.streamer_input(keys[:, tf.newaxis]), place


def cross_entropy(labels: np.ndarray, logits: np.ndarray) -> float:
    """Mean of −log σ(x) over the positives and −log(1 − σ(x)) over the others."""
    return float(np.mean(np.log1p(np.exp(np.where(labels > 0, -logits, logits)))))


def test_the_halves_are_joined_by_their_shares(model: NeuMF):
    users, streamers, _ = rows(model, batch(model))
    model.options = replace(model.options, alpha=0.25)
    logits = model.logits(users[:1], streamers, None)
    assert model.joined(logits).numpy() == pytest.approx(0.25 * logits.factors.numpy() + 0.75 * logits.tower.numpy())


@pytest.mark.parametrize("apart", [True, False], ids=["pre-training", "joined"])
def test_both_halves_learn_apart_until_they_are_joined(model: NeuMF, apart: bool):
    inputs = batch(model)
    users, streamers, place = rows(model, inputs)
    learnt = model._labelled(inputs, place, tf.shape(streamers)[0])
    kept = learnt.weight.numpy() > 0
    logits = model.logits(users, streamers, learnt.pairs)
    scores = [logits.factors, logits.tower] if apart else [model.joined(logits)]
    expected = sum(cross_entropy(learnt.entered.numpy()[kept], score.numpy()[kept]) for score in scores)
    assert float(model.pair_loss(users, streamers, learnt, apart)) == pytest.approx(expected, rel=1e-4)


def test_pre_training_lasts_for_its_epochs(model: NeuMF):
    model.prepare(SAMPLES, SAMPLES, batch_slates=5)  # 12 slates: 3 steps an epoch, 6 in two epochs.
    joined = float(model.compute_loss(batch(model, step=7), training=False))
    users, streamers, _ = rows(model, batch(model))
    penalty = float(model.penalty(users, streamers))
    assert float(model.compute_loss(batch(model, step=7), training=True)) == pytest.approx(joined + penalty, rel=1e-5)
    assert float(model.compute_loss(batch(model, step=6), training=True)) > joined + penalty + 0.3


def test_a_half_learns_nothing_from_the_other(model: NeuMF):
    inputs = batch(model)
    with tf.GradientTape() as tape:
        users, streamers, _ = rows(model, inputs)
        loss = tf.reduce_sum(model.logits(users[:1], streamers, None).factors)
    gradient = tf.convert_to_tensor(tape.gradient(loss, model.embeddings.table)).numpy()
    assert np.abs(gradient[:, :3]).max() > 0
    assert not gradient[:, 3:].any()


def test_impressions_that_were_not_entered_are_negatives(model: NeuMF):
    inputs = batch(model)
    _, streamers, place = rows(model, inputs)
    learnt = model._labelled(inputs, place, tf.shape(streamers)[0])
    impressions = len(SAMPLES.candidates.slate)
    assert learnt.entered.numpy()[:impressions].tolist() == SAMPLES.candidates.entered.tolist()
    assert learnt.pairs.user.numpy()[:impressions].tolist() == SAMPLES.candidates.slate.tolist()
    assert len(learnt.weight) == impressions + 5 * SAMPLES.candidates.entered.sum()


def test_a_streamer_whom_the_viewer_entered_in_the_batch_is_no_negative(model: NeuMF):
    inputs = batch(model)
    keys, place = tf.unique(inputs[CANDIDATE_IDS][:, 0])
    learnt = model._labelled(inputs, place, tf.size(keys))
    user = SAMPLES.slates.user[learnt.pairs.user.numpy()]
    streamer = keys.numpy()[learnt.pairs.streamer.numpy()]
    impressions = len(SAMPLES.candidates.slate)
    shown = SAMPLES.candidates
    entered = set(zip(SAMPLES.slates.user[shown.slate[shown.entered]], shown.streamer[shown.entered], strict=True))
    drawn = [pair in entered for pair in zip(user[impressions:], streamer[impressions:], strict=True)]
    assert any(drawn)
    assert (learnt.weight.numpy()[impressions:] == 0).tolist() == drawn
    assert (learnt.weight.numpy()[:impressions] == 1).all()


def test_negatives_are_drawn_anew_in_every_step_and_repeat_for_a_step(model: NeuMF):
    def drawn(step: int) -> list[int]:
        inputs = batch(model, step=step)
        _, streamers, place = rows(model, inputs)
        return model._labelled(inputs, place, tf.shape(streamers)[0]).pairs.streamer.numpy().tolist()

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_other_columns_are_left_out_of_what_it_reads():
    model = built({"user": ["*"], "candidate": ["*"]})
    names = [(tensor.name, [column.name for column in tensor.columns]) for tensor in model.layout.tensors]
    assert names == [(USER_IDS, ["user.id"]), (CANDIDATE_IDS, ["streamer.id"])]


def test_it_cannot_do_without_the_viewer():
    layout = Layout(tuple(tensor for tensor in SAMPLES.layout.tensors if tensor.name != USER_IDS))
    config = parse_config(TABLE, "test")
    fitted = fit(SAMPLES, SAMPLES.layout, ENCODINGS, min_count=1)
    with pytest.raises(LayoutMismatchError, match=r"expected user.id among those of user_ids, received \[\]"):
        build(RunFiles(config, blueprint_of(config, layout, ENCODINGS, fitted)))


def test_an_unknown_viewer_and_streamer_meet_rows_of_their_own(model: NeuMF):
    strangers = {USER_IDS: tf.constant([[987654321]], tf.int64), CANDIDATE_IDS: tf.constant([[123456789]], tf.int64)}
    model.embeddings.table.assign(tf.zeros_like(model.embeddings.table))
    model.factors.h.assign([[1.0, 1.0, 1.0]])
    model.embeddings.table[0, :3].assign([1.0, 2.0, 3.0])  # pyright: ignore[reportAttributeAccessIssue]
    model.embeddings.table[1, :3].assign([1.0, 0.0, 1.0])  # pyright: ignore[reportAttributeAccessIssue]
    users, streamers = model.user_input(strangers[USER_IDS]), model.streamer_input(strangers[CANDIDATE_IDS])
    assert model.logits(users, streamers, None).factors.numpy() == pytest.approx([4.0])
