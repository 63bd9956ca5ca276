"""What is particular to the two-tower model."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from tests.training.worlds import ENCODINGS, toy_world
from training.data.examples import Examples
from training.data.samples import Samples
from training.heads import HEAD_NAMES
from training.layers.fitted import fit
from training.models.recall.two_tower import TwoTower
from training.run_config import parse_config
from training.trained import RunFiles, blueprint_of, build

SAMPLES = TwoTower.examples(toy_world(12, seed=1).samples)
LAYOUT = replace(SAMPLES.layout, heads=())


@pytest.fixture
def model() -> TwoTower:
    table = {
        "model": "two_tower",
        "features": {"user": ["*"], "candidate": ["*"]},
        "options": {"tower": [8], "vector": 4, "temperature": 0.5, "frequency_slots": 4096},
    }
    config = parse_config(table, "test")
    fitted = fit(SAMPLES, LAYOUT, ENCODINGS, min_count=1)
    result = build(RunFiles(config, blueprint_of(config, LAYOUT, ENCODINGS, fitted)))
    assert isinstance(result, TwoTower)
    return result


def batch(samples: Samples, streamer: list[int], user: list[int]) -> dict[str, tf.Tensor]:
    """The first candidates of the samples as a batch, each of another slate, with these streamers and viewers."""
    rows = np.arange(len(streamer))
    chosen = Examples.of(samples, LAYOUT).batch(rows, step=1)
    first = [int(np.flatnonzero(chosen["slate"] == row)[0]) for row in rows]
    candidate = {n: v[first] for n, v in chosen.items() if n.startswith("candidate") or n in ("labels", "mask")}
    chosen |= candidate | {"slate": rows.astype(np.int32)}
    chosen |= {"streamer": np.array(streamer, np.int64), "user": np.array(user, np.int64)}
    return {name: tf.constant(values) for name, values in chosen.items()}


def corrected_scores(model: TwoTower, inputs: dict[str, tf.Tensor]) -> np.ndarray:
    gaps = model.validation_gap.numpy()[
        0, np.asarray(inputs["streamer"]) % 4096
    ]  # Small keys: the second hash reads zeros.
    log_probability = -np.log(np.maximum(np.maximum(gaps, model.validation_gap.numpy()[1, 0]), 1.0))
    return model.user_vectors(inputs).numpy() @ model.room_vectors(inputs).numpy().T / 0.5 - log_probability


def test_only_entered_rooms_are_examples():
    enter = HEAD_NAMES.index("enter")
    assert (SAMPLES.candidates.labels[:, enter] == 1).all()
    assert len(SAMPLES.candidates.slate) == toy_world(12, seed=1).samples.candidates.labels[:, enter].sum()
    assert set(SAMPLES.candidates.slate) == set(range(len(SAMPLES.slates.user)))


def test_the_loss_is_the_corrected_softmax_over_the_batch(model: TwoTower):
    model.validation_gap.assign(tf.random.uniform(model.gap.shape, 2.0, 50.0))  # pyright: ignore[reportArgumentType]
    inputs = batch(SAMPLES, [1, 2, 3], [1, 2, 3])
    scores = corrected_scores(model, inputs)
    expected = np.mean([np.log(np.exp(scores[i]).sum()) - scores[i, i] for i in range(3)])
    assert float(model.compute_loss(inputs)) == pytest.approx(expected, rel=1e-4)


def test_another_room_of_the_same_streamer_is_no_negative(model: TwoTower):
    inputs = batch(SAMPLES, [1, 1, 3], [1, 2, 3])
    scores = corrected_scores(model, inputs)
    negatives = [[0, 2], [1, 2], [0, 1, 2]]
    expected = np.mean([np.log(np.exp(scores[i, n]).sum()) - scores[i, i] for i, n in enumerate(negatives)])
    assert float(model.compute_loss(inputs)) == pytest.approx(expected, rel=1e-4)


def test_another_room_that_the_viewer_entered_is_no_negative(model: TwoTower):
    inputs = batch(SAMPLES, [1, 2, 3], [7, 7, 8])
    scores = corrected_scores(model, inputs)
    negatives = [[0, 2], [1, 2], [0, 1, 2]]
    expected = np.mean([np.log(np.exp(scores[i, n]).sum()) - scores[i, i] for i, n in enumerate(negatives)])
    assert float(model.compute_loss(inputs)) == pytest.approx(expected, rel=1e-4)


def test_frequencies_are_counted_in_training_only(model: TwoTower):
    inputs = batch(SAMPLES, [1, 2, 3], [1, 2, 3])
    model.compute_loss(inputs, training=False)
    assert not model.last_step.numpy().any()
    model.compute_loss(inputs, training=True)
    assert np.flatnonzero(model.last_step.numpy()[0]).tolist() == [1, 2, 3]


def entered(streamers: list[int], slates: int) -> Samples:
    """Samples of so many slates in which these streamers were entered."""
    candidates = SAMPLES.candidates.take(np.arange(len(streamers)))
    kept = SAMPLES.of_slates(np.arange(len(SAMPLES.slates.user)) < slates)
    return replace(kept, candidates=replace(candidates, streamer=np.array(streamers, np.int64)))


def test_the_estimate_starts_from_the_counts_of_the_samples(model: TwoTower):
    model.prepare(entered([8, 8, 8, 9], slates=4), entered([8], slates=2), batch_slates=2)
    # Three entries over two batches: the chance to be in one is 1 − (1/2)³ = 7/8; one entry: 1/2; none counts as one.
    assert model.gap.numpy()[0, [8, 9, 10]] == pytest.approx([8 / 7, 2.0, 2.0])


def test_validation_goes_by_the_frequencies_of_its_own_samples(model: TwoTower):
    model.prepare(entered([8, 8, 8, 9], slates=4), entered([9, 9, 9, 8], slates=4), batch_slates=2)
    assert model.validation_gap.numpy()[0, [9, 8]] == pytest.approx([8 / 7, 2.0])
