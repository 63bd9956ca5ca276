"""The training loop: early stopping, resume, and what it refuses."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.worlds import ENCODINGS, toy_world
from training.data.samples import RoomVersions, Samples
from training.epochs import best_epoch, has_patience, shuffled
from training.heads import HEAD_NAMES
from training.run_config import ConfigError, RunConfig, parse_config
from training.train import Progress, train
from training.trained import TrainedError, load_trained

TRAINING, VALIDATION = toy_world(120, seed=1).samples, toy_world(40, seed=2).samples


def config(epochs: int = 3, **options) -> RunConfig:
    return parse_config(
        {
            "model": "esmm",
            "features": {"user": ["user.id"], "candidate": ["streamer.id", "room.viewers"]},
            "heads": {"enter": 1.0, "long_watch": 1.0},
            "inputs": {"unseen_rates": {"streamer.id": 0.2}},
            "options": {"tower": [8], "match": 4},
            "training": {"batch_slates": 50, "epochs": epochs, "patience": 9},
        }
        | options,
        "test",
    )


class StopError(Exception):
    """Stands for a machine that goes away in the middle of a run."""


@dataclass
class StopAt:
    """Goes away at a batch of an epoch."""

    epoch: int
    batch: int

    def __call__(self, progress: Progress) -> None:
        if (progress.epoch, progress.batch) == (self.epoch, self.batch):
            raise StopError


def without_seconds(history: list[dict[str, float]]) -> list[dict[str, float]]:
    return [{name: value for name, value in entry.items() if name != "seconds"} for entry in history]


def without_labels(samples: Samples, head: str) -> Samples:
    mask = samples.candidates.mask.copy()
    mask[:, HEAD_NAMES.index(head)] = False
    return replace(samples, candidates=replace(samples.candidates, mask=mask))


def test_an_interrupted_run_goes_on_as_if_nothing_had_been(tmp_path: Path):
    whole = train(config(), TRAINING, VALIDATION, tmp_path / "whole", encodings=ENCODINGS)
    with pytest.raises(StopError):
        train(config(), TRAINING, VALIDATION, tmp_path / "cut", encodings=ENCODINGS, on_progress=StopAt(2, 2))
    with pytest.raises(TrainedError, match="expected a finished run, received one that was interrupted"):
        load_trained(tmp_path / "cut")
    epochs: list[int] = []
    resumed = train(
        config(),
        TRAINING,
        VALIDATION,
        tmp_path / "cut",
        encodings=ENCODINGS,
        on_progress=lambda progress: epochs.append(progress.epoch),
    )
    assert min(epochs) == 2  # The first epoch was not run again.
    assert [entry["epoch"] for entry in resumed.history] == [1, 2, 3]
    for one, two in zip(without_seconds(whole.history), without_seconds(resumed.history), strict=True):
        assert one == pytest.approx(two, rel=1e-4)
    for one, two in zip(whole.model.variables, resumed.model.variables, strict=True):
        assert np.allclose(one, two, atol=1e-4)


def test_progress_counts_batches_and_ends_each_epoch_with_the_validation_loss(tmp_path: Path):
    seen: list[Progress] = []
    result = train(config(2), TRAINING, VALIDATION, tmp_path / "run", encodings=ENCODINGS, on_progress=seen.append)
    # 120 slates are three batches of at most 50; then the epoch's end.
    assert [(p.epoch, p.batch, p.validation_loss is None) for p in seen[:4]] == [
        (1, 1, True),
        (1, 2, True),
        (1, 3, True),
        (1, 3, False),
    ]
    assert seen[3].validation_loss == result.history[0]["validation_loss"]


def test_history_and_logs_are_written(tmp_path: Path):
    result = train(config(1), TRAINING, VALIDATION, tmp_path / "run", encodings=ENCODINGS)
    assert json.loads((tmp_path / "run" / "history.json").read_text()) == result.history
    assert set(result.history[0]) >= {"epoch", "loss", "validation_loss", "enter/loss", "validation_long_watch/loss"}
    assert list((tmp_path / "run" / "logs").glob("events.out.tfevents.*"))


def entry(validation_loss: float) -> dict[str, float]:
    return {"validation_loss": validation_loss}


def test_a_trained_model_says_until_when_it_has_seen_samples(tmp_path: Path):
    train(config(1), TRAINING, VALIDATION, tmp_path / "run", encodings=ENCODINGS)
    # The toy world has a slate a second from 0 on: 40 of validation, 120 of training.
    assert load_trained(tmp_path / "run").seen_until_ms == 119_000


def test_the_best_epoch_is_the_first_with_the_lowest_validation_loss():
    assert best_epoch([entry(0.5), entry(0.4), entry(0.4), entry(0.6)]) == 2


def test_a_loss_that_is_no_number_is_never_the_best():
    assert best_epoch([entry(0.5), entry(float("nan"))]) == 1
    assert best_epoch([entry(float("nan")), entry(0.5)]) == 2


def test_training_stops_when_the_patience_is_used_up():
    history = [entry(0.5), entry(0.4), entry(0.45)]
    assert has_patience(history, 2)
    assert not has_patience([*history, entry(0.41)], 2)
    assert has_patience([], 1)


def test_a_head_without_labels_is_left_out(tmp_path: Path):
    run = config(1, model="mmoe", heads={"enter": 1.0, "like": 1.0}, options={"expert": [8], "tower": [4]})
    result = train(run, without_labels(TRAINING, "like"), VALIDATION, tmp_path / "run", encodings=ENCODINGS)
    assert result.model.layout.heads == ("enter",)


def test_a_model_without_a_head_that_it_needs_is_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"model esmm: expected labels of long_watch, received .*\['enter'\]"):
        train(config(), without_labels(TRAINING, "long_watch"), VALIDATION, tmp_path / "run", encodings=ENCODINGS)


def test_a_ranker_without_heads_and_a_recall_model_with_some_are_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"heads: expected one of the labelled heads \['enter', .*\], received \[\]"):
        train(config(model="mmoe", heads={}, options={}), TRAINING, VALIDATION, tmp_path / "run", encodings=ENCODINGS)
    run = config(model="two_tower", heads={"enter": 1.0}, options={})
    with pytest.raises(ConfigError, match=r"heads: expected none of the recall model two_tower, received \['enter'\]"):
        train(run, TRAINING, VALIDATION, tmp_path / "run", encodings=ENCODINGS)


def test_samples_without_slates_are_refused(tmp_path: Path):
    nothing = VALIDATION.of_slates(np.zeros(40, np.bool_))
    with pytest.raises(ConfigError, match="validation samples: expected at least one slate"):
        train(config(), TRAINING, nothing, tmp_path / "run", encodings=ENCODINGS)


def test_a_finished_run_is_not_overwritten(tmp_path: Path):
    train(config(1), TRAINING, VALIDATION, tmp_path / "run", encodings=ENCODINGS)
    with pytest.raises(TrainedError, match="received a finished run"):
        train(config(1), TRAINING, VALIDATION, tmp_path / "run", encodings=ENCODINGS)


@pytest.mark.parametrize("changed", ["configuration", "samples"])
def test_another_interrupted_run_is_not_gone_on_with(tmp_path: Path, changed: str):
    with pytest.raises(StopError):
        train(config(), TRAINING, VALIDATION, tmp_path / "run", encodings=ENCODINGS, on_progress=StopAt(1, 1))
    other = config(4) if changed == "configuration" else config()
    samples = toy_world(120, seed=9).samples if changed == "samples" else TRAINING
    with pytest.raises(TrainedError, match="received another"):
        train(other, samples, VALIDATION, tmp_path / "run", encodings=ENCODINGS)


def test_a_run_whose_model_cannot_be_built_leaves_nothing_that_refuses_other_settings(tmp_path: Path):
    run = config(model="gbdt_lr", options={"trees_of": ["like"]})
    with pytest.raises(ValueError, match=r"trees_of: expected \['like'\] among the heads \['enter', 'long_watch'\]"):
        train(run, TRAINING, VALIDATION, tmp_path / "run", encodings=ENCODINGS)
    assert not list((tmp_path / "run").iterdir())
    assert len(train(config(1), TRAINING, VALIDATION, tmp_path / "run", encodings=ENCODINGS).history) == 1


def test_a_run_without_visits_to_solve_leaves_nothing_that_refuses_other_settings(tmp_path: Path):
    run = config(model="item_cf", heads={}, options={})
    with pytest.raises(ConfigError, match="model item_cf: expected visits to solve it from"):
        train(run, TRAINING, VALIDATION, tmp_path / "run", encodings=ENCODINGS)
    assert not list((tmp_path / "run").iterdir())


def test_an_interrupted_run_outlasts_a_start_that_fails(tmp_path: Path):
    with pytest.raises(StopError):
        train(config(), TRAINING, VALIDATION, tmp_path / "run", encodings=ENCODINGS, on_progress=StopAt(1, 1))
    files = sorted((tmp_path / "run").iterdir())
    nothing = np.zeros(0, np.int64)
    without_tensors = RoomVersions({}, nothing, nothing, nothing, nothing)
    with pytest.raises(KeyError):
        train(config(), TRAINING, VALIDATION, tmp_path / "run", encodings=ENCODINGS, rooms=without_tensors)
    assert sorted((tmp_path / "run").iterdir()) == files


def test_a_directory_without_a_run_is_named(tmp_path: Path):
    with pytest.raises(TrainedError, match="nowhere: expected a training run's directory"):
        load_trained(tmp_path / "nowhere")


def test_slates_that_stay_together_are_neighbours_and_none_is_lost():
    order = shuffled(11, 4, np.random.default_rng(3))
    assert sorted(order) == list(range(11))
    # Two runs of four, three slates left over; a run may go around the end.
    assert ((np.diff(order[:8].reshape(2, 4), axis=1) % 11) == 1).all()


def test_runs_begin_elsewhere_each_time():
    rng = np.random.default_rng(3)
    assert len({int(shuffled(1000, 100, rng)[0]) % 100 for _ in range(20)}) > 10
