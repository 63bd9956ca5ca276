"""What is particular to the two-tower model."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.training.worlds import ENCODINGS, toy_world
from training.callable_model import CallableModel
from training.data.examples import Examples
from training.data.samples import RoomVersions, Samples
from training.export import export
from training.heads import HEAD_NAMES
from training.layers.fitted import fit
from training.models.recall.two_tower import TwoTower
from training.run_config import parse_config
from training.trained import RunFiles, blueprint_of, build

SAMPLES = TwoTower.examples(toy_world(12, seed=1).samples)
LAYOUT = replace(SAMPLES.layout, heads=())


def new_model(**options: float) -> TwoTower:
    table = {
        "model": "two_tower",
        "features": {"user": ["*"], "candidate": ["*"]},
        "options": {"tower": [8], "vector": 4, "temperature": 0.5, "frequency_slots": 4096, "hidden": 0.3, **options},
    }
    config = parse_config(table, "test")
    fitted = fit(SAMPLES, LAYOUT, ENCODINGS, min_count=1)
    result = build(RunFiles(config, blueprint_of(config, LAYOUT, ENCODINGS, fitted)))
    assert isinstance(result, TwoTower)
    return result


@pytest.fixture
def model() -> TwoTower:
    return new_model()


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
    gaps = model.frequency.validation_gap.numpy()[
        0, np.asarray(inputs["streamer"]) % 4096
    ]  # Small keys: the second hash reads zeros.
    log_probability = -np.log(np.maximum(np.maximum(gaps, model.frequency.validation_gap.numpy()[1, 0]), 1.0))
    return model.user_vectors(inputs).numpy() @ model.room_vectors(inputs).numpy().T / 0.5 - log_probability


def test_only_entered_rooms_are_examples():
    enter = HEAD_NAMES.index("enter")
    assert (SAMPLES.candidates.labels[:, enter] == 1).all()
    assert len(SAMPLES.candidates.slate) == toy_world(12, seed=1).samples.candidates.labels[:, enter].sum()
    assert set(SAMPLES.candidates.slate) == set(range(len(SAMPLES.slates.user)))


def test_the_loss_is_the_corrected_softmax_over_the_batch(model: TwoTower):
    model.frequency.validation_gap.assign(tf.random.uniform(model.frequency.gap.shape, 2.0, 50.0))  # pyright: ignore[reportArgumentType]
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


def beside(streamers: list[int], minutes: list[tuple[int, int]], rate: float) -> dict[str, tf.Tensor]:
    """Drawn rooms of these streamers that held in these minutes; what they show is that of the first candidates."""
    shown = {f"negative_{name}": values[: len(streamers)] for name, values in SAMPLES.candidates.tensors.items()}
    start, stop = (np.array(column, np.int64) * 60_000 for column in zip(*minutes, strict=True))
    shown |= {"negative_streamer": np.array(streamers, np.int64), "negative_start_ms": start, "negative_stop_ms": stop}
    return {name: tf.constant(values) for name, values in shown.items()} | {"negative_rate": tf.constant(rate)}


def expected_with(model: TwoTower, inputs: dict[str, tf.Tensor], rate: float, negatives: list[list[int]]) -> float:
    """The mean loss of a softmax over the rows (in the batch, then drawn) that `negatives` lists for each."""
    drawn = {name.removeprefix("negative_"): values for name, values in inputs.items() if name.startswith("negative_")}
    rooms = np.vstack([model.room_vectors(inputs).numpy(), model.room_vectors(drawn).numpy()])
    # No estimate was made: p̂ = 1 for all, so that every score is lowered by log(1 + rate).
    scores = model.user_vectors(inputs).numpy() @ rooms.T / 0.5 - np.log(1 + rate)
    return float(np.mean([np.log(np.exp(scores[i, n]).sum()) - scores[i, i] for i, n in enumerate(negatives)]))


def test_drawn_rooms_are_negatives_where_they_were_on_air(model: TwoTower):
    inputs = batch(SAMPLES, [1, 2], [1, 2]) | {"time_ms": tf.constant([60_000, 120_000], tf.int64)}
    # The first was on air for both, the second had ended when the second slate was served.
    inputs |= beside([8, 9], [(0, 5), (1, 2)], rate=0.5)
    expected = expected_with(model, inputs, 0.5, [[0, 1, 2, 3], [0, 1, 2]])
    assert float(model.compute_loss(inputs)) == pytest.approx(expected, rel=1e-4)


def test_a_drawn_room_of_a_streamer_that_the_viewer_entered_is_no_negative(model: TwoTower):
    inputs = batch(SAMPLES, [1, 2, 3], [7, 7, 8]) | {"time_ms": tf.zeros(3, tf.int64)}
    inputs |= beside([2, 3], [(0, 5), (0, 5)], rate=0.5)
    # Viewer 7 entered 1 and 2: of the drawn 2 and 3 only 3 is left to both rows; viewer 8 entered 3.
    expected = expected_with(model, inputs, 0.5, [[0, 2, 4], [1, 2, 4], [0, 1, 2, 3]])
    assert float(model.compute_loss(inputs)) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("watched", "weights"),
    # A repeat and two first visits count alike; two repeats together as much as one first visit; repeats alone in full.
    [([1], [1, 1, 1]), ([1, 2], [0.5, 0.5, 1]), ([1, 2, 3], [1, 1, 1])],
)
def test_repeats_count_for_half_of_a_batch_at_most(model: TwoTower, watched: list[int], weights: list[float]):
    inputs = batch(SAMPLES, [1, 2, 3], [1, 2, 3])
    history = inputs["history_ids"].numpy()
    history[:, :, 0] = watched + [0] * (history.shape[1] - len(watched))
    inputs |= {"history_ids": tf.constant(history)}
    scores = corrected_scores(model, inputs)
    losses = [np.log(np.exp(scores[i]).sum()) - scores[i, i] for i in range(3)]
    assert float(model.compute_loss(inputs)) == pytest.approx(np.average(losses, weights=weights), rel=1e-4)


def test_frequencies_are_counted_in_training_only(model: TwoTower):
    inputs = batch(SAMPLES, [1, 2, 3], [1, 2, 3])
    model.compute_loss(inputs, training=False)
    assert not model.frequency.last_step.numpy().any()
    model.compute_loss(inputs, training=True)
    assert np.flatnonzero(model.frequency.last_step.numpy()[0]).tolist() == [1, 2, 3]


def entered(streamers: list[int], slates: int) -> Samples:
    """Samples of so many slates in which these streamers were entered."""
    candidates = SAMPLES.candidates.take(np.arange(len(streamers)))
    kept = SAMPLES.of_slates(np.arange(len(SAMPLES.slates.user)) < slates)
    return replace(kept, candidates=replace(candidates, streamer=np.array(streamers, np.int64)))


def test_the_estimate_starts_from_the_counts_of_the_samples(model: TwoTower):
    model.prepare(entered([8, 8, 8, 9], slates=4), entered([8], slates=2), batch_slates=2)
    # Three entries over two batches: the chance to be in one is 1 − (1/2)³ = 7/8; one entry: 1/2; none counts as one.
    assert model.frequency.gap.numpy()[0, [8, 9, 10]] == pytest.approx([8 / 7, 2.0, 2.0])


def test_validation_goes_by_the_frequencies_of_its_own_samples(model: TwoTower):
    model.prepare(entered([8, 8, 8, 9], slates=4), entered([9, 9, 9, 8], slates=4), batch_slates=2)
    assert model.frequency.validation_gap.numpy()[0, [9, 8]] == pytest.approx([8 / 7, 2.0])


def rooms_of(streamers: list[int], start_ms: list[int]) -> RoomVersions:
    """Room versions that show what the first candidates show."""
    tensors = {name: values[: len(streamers)] for name, values in SAMPLES.candidates.tensors.items()}
    start = np.array(start_ms, np.int64)
    return RoomVersions(tensors, np.arange(len(streamers)), np.array(streamers, np.int64), start, start + 100)


def test_nearest_ranks_streamers_by_their_last_rooms(model: TwoTower):
    # Streamer 5 showed something else before; what starts at 50 is not known yet.
    rooms = rooms_of([5, 4, 5, 6, 4], [0, 10, 20, 30, 50])
    model.meet(rooms, until_ms=50, seed=1)
    user = {name: tf.constant(values[:3]) for name, values in SAMPLES.slates.tensors.items()}
    found = model.signatures()["nearest"].function(user)
    last = {name: tf.constant(values[[1, 2, 3]]) for name, values in rooms.tensors.items()}
    scores = model.user_vectors(user).numpy() @ model.room_vectors(last).numpy().T
    order = np.argsort(-scores, axis=1)
    assert found["streamer"].numpy().tolist() == np.array([4, 5, 6])[order].tolist()
    assert found["score"].numpy() == pytest.approx(np.take_along_axis(scores, order, axis=1), abs=1e-5)


def test_nearest_is_not_offered_where_no_room_is_known(model: TwoTower):
    assert "nearest" not in model.signatures()


def test_what_nearest_knows_survives_a_checkpoint(model: TwoTower, tmp_path: Path):
    model.meet(rooms_of([5, 4, 6], [0, 10, 20]), until_ms=50, seed=1)
    tf.train.Checkpoint(model=model).write(str(tmp_path / "kept"))
    other = new_model()
    tf.train.Checkpoint(model=other).read(str(tmp_path / "kept")).assert_existing_objects_matched()
    user = {name: tf.constant(values[:3]) for name, values in SAMPLES.slates.tensors.items()}
    one, two = (each.signatures()["nearest"].function(user)["streamer"].numpy() for each in (model, other))
    assert one.tolist() == two.tolist()


def test_what_is_exported_knows_the_nearest_as_well(model: TwoTower, tmp_path: Path):
    model.meet(rooms_of([5, 4, 6], [0, 10, 20]), until_ms=50, seed=1)
    export(model, tmp_path / "saved")
    user = {name: values[:3] for name, values in SAMPLES.slates.tensors.items()}
    trained, served = (
        each.ask("nearest", user) for each in (CallableModel.of(model), CallableModel.load(tmp_path / "saved"))
    )
    assert served["streamer"].tolist() == trained["streamer"].tolist()
    assert served["score"] == pytest.approx(trained["score"], abs=1e-5)


def test_in_training_some_streamers_are_hidden_but_not_who_was_watched_before(model: TwoTower):
    room = {
        name: tf.constant(np.repeat(values[:1], 400, axis=0)) for name, values in SAMPLES.candidates.tensors.items()
    }
    told, trained = model.room_vectors(room).numpy(), model.room_vectors(room, step=tf.constant(1, tf.int64)).numpy()
    hidden = (trained[:, :4] != told[:, :4]).any(axis=1)
    # Three standard deviations of a share of 400 draws: 3 · √(.3 · .7 / 400) = .069.
    assert hidden.mean() == pytest.approx(0.3, abs=0.069)
    assert trained[:, 5:] == pytest.approx(told[:, 5:])


def test_an_entered_room_is_learnt_once_more_as_a_strangers_if_it_was_new_to_its_viewer(
    monkeypatch: pytest.MonkeyPatch,
):
    model = new_model(hidden=1.0)
    inputs = batch(SAMPLES, [1, 2, 3], [1, 2, 3])
    assert model.revisits
    watched = model.revisits.watched(inputs).numpy()
    inputs["streamer"] = tf.constant([int(watched[0, 0]), 2, 3], tf.int64)  # The first viewer comes back.
    rooms = model.room_vectors(inputs, inputs["step"]).numpy()
    strangers = rooms[1:].copy()
    strangers[:, 5:] = 0.0
    queries = model.user_vectors(inputs, inputs["step"]).numpy()[[0, 1, 2, 1, 2]]
    scores = queries @ np.vstack([rooms, strangers]).T / 0.5
    negatives = [[0, 1, 2, 3, 4], [0, 1, 2, 4], [0, 1, 2, 3], [0, 2, 3, 4], [0, 1, 3, 4]]  # Not the viewer's own.
    losses = [np.log(np.exp(scores[i, n]).sum()) - scores[i, i] for i, n in enumerate(negatives)]
    monkeypatch.setattr(model.frequency, "count", lambda *_: None)  # No estimate is made: p̂ = 1 for all.
    assert float(model.compute_loss(inputs, training=True)) == pytest.approx(np.mean(losses), rel=1e-4)


def test_a_hidden_streamer_has_the_bias_of_an_unknown_one(model: TwoTower):
    assert model.bias
    model.bias.start(np.array([SAMPLES.candidates.streamer[0]] * 9 + [SAMPLES.candidates.streamer[1]], np.int64))
    room = {name: tf.constant(np.repeat(values[:1], 50, axis=0)) for name, values in SAMPLES.candidates.tensors.items()}
    biases = model.room_vectors(room, step=tf.constant(1, tf.int64)).numpy()[:, 4]
    # Nine enters where five are the mean: log(10/6); the unknown streamer has the mean: 0.
    assert set(np.round(biases, 4)) == {0.0, np.float32(round(np.log(10 / 6), 4))}
