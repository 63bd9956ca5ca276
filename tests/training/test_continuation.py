"""Continuation: a ranker goes on from an earlier run, and says when it cannot."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from feature_service.features.layout import USER_IDS
from tests.training.worlds import ENCODINGS, toy_world
from training.data.erased import NOBODY, Erased
from training.data.samples import Samples
from training.layers.embeddings import Embeddings
from training.models.ranking import Ranker
from training.predict import predict
from training.run_config import ConfigError, RunConfig, parse_config
from training.train import train
from training.trained import RunFiles, TrainedError, TrainedModel, load_trained

TRAINING, VALIDATION = toy_world(120, seed=1).samples, toy_world(40, seed=2).samples

NEW_VIEWERS = 1_000
"""Added to the key of each viewer: viewers whom the earlier run has not met."""


def config(model: str = "esmm", learning_rate: float = 1e-3) -> RunConfig:
    ranker = model not in ("two_tower", "neumf")
    return parse_config(
        {
            "model": model,
            "features": {"user": ["*"], "candidate": ["*"]},
            "heads": {"enter": 1.0, "long_watch": 1.0} if ranker else {},
            "training": {"batch_slates": 50, "epochs": 1, "learning_rate": learning_rate},
        },
        "test",
    )


def with_new_viewers(samples: Samples) -> Samples:
    ids = samples.slates.tensors[USER_IDS].astype(np.int64)
    ids[:, 0] += NEW_VIEWERS
    return replace(samples, slates=replace(samples.slates, tensors=samples.slates.tensors | {USER_IDS: ids}))


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("earlier") / "run"
    train(config(learning_rate=0.01), TRAINING, VALIDATION, directory, encodings=ENCODINGS)
    return directory


def gone_on(
    earlier: Path, directory: Path, samples: Samples, learning_rate: float = 1e-3, erased: Erased = NOBODY
) -> TrainedModel:
    return train(
        config(learning_rate=learning_rate),
        samples,
        VALIDATION,
        directory,
        encodings=ENCODINGS,
        since=earlier,
        erased=erased,
    )


def ranker(directory: Path) -> Ranker:
    model = load_trained(directory).model
    assert isinstance(model, Ranker)
    return model


def test_with_steps_of_almost_no_size_it_stays_the_earlier_model(earlier: Path, tmp_path: Path):
    gone_on(earlier, tmp_path / "run", TRAINING, learning_rate=1e-12)
    one, two = (predict(ranker(run), VALIDATION, calibrated=False) for run in (earlier, tmp_path / "run"))
    assert two == pytest.approx(one, abs=1e-6)


def test_it_is_nearer_to_the_goal_than_one_that_begins(earlier: Path, tmp_path: Path):
    anew = train(config(), TRAINING, VALIDATION, tmp_path / "anew", encodings=ENCODINGS).history
    more = gone_on(earlier, tmp_path / "more", TRAINING).history
    assert more[0]["validation_loss"] < 0.95 * anew[0]["validation_loss"]


def test_new_viewers_get_rows_of_their_own_and_learn_there(earlier: Path, tmp_path: Path):
    gone_on(earlier, tmp_path / "run", with_new_viewers(TRAINING), learning_rate=0.01)
    keys = [RunFiles.read(run).blueprint.fitted.vocabularies["user"] for run in (earlier, tmp_path / "run")]
    assert set(keys[1]) == set(keys[0]) | {key + NEW_VIEWERS for key in keys[0]}
    before, after = (_table(run) for run in (earlier, tmp_path / "run"))
    new, old = np.array([keys[0][0] + NEW_VIEWERS])[:, None], np.array([keys[0][0]])[:, None]
    assert not np.allclose(after(new, ["user"]), before(new, ["user"]))
    assert np.allclose(after(old, ["user"]), before(old, ["user"]))  # Nobody has spoken of it since.


def test_an_erased_viewer_has_no_row_any_more(earlier: Path, tmp_path: Path):
    before = RunFiles.read(earlier).blueprint.fitted.vocabularies["user"]
    erased, other = before[0], before[1]
    gone_on(earlier, tmp_path / "run", TRAINING, 1e-12, Erased.of({int(erased): 0}))
    assert set(RunFiles.read(tmp_path / "run").blueprint.fitted.vocabularies["user"]) == set(before) - {erased}
    ids, table, held = np.array([erased, other])[:, None], _table(tmp_path / "run"), _table(earlier)
    unknown, known = held(ids, ["user"], np.ones((2, 1), np.bool_)), held(ids, ["user"])
    assert np.allclose(table(ids, ["user"]), [unknown[0], known[1]], atol=1e-6)
    assert not np.allclose(unknown[0], known[0], atol=1e-3)


def _table(directory: Path) -> Embeddings:
    return ranker(directory).embeddings


def test_heads_without_a_fresh_label_stay(earlier: Path, tmp_path: Path):
    mask = TRAINING.candidates.mask.copy()
    mask[:, 1:] = False
    samples = replace(TRAINING, candidates=replace(TRAINING.candidates, mask=mask))
    assert gone_on(earlier, tmp_path / "run", samples).model.layout.heads == ("enter", "long_watch")


@pytest.mark.parametrize("model", ["two_tower", "neumf", "gbdt_lr"])
def test_what_cannot_go_on_is_refused(model: str, earlier: Path, tmp_path: Path):
    with pytest.raises(ConfigError, match=f"model {model}: expected a ranker that learns by gradient alone, or a"):
        train(config(model), TRAINING, VALIDATION, tmp_path / "run", encodings=ENCODINGS, since=earlier)
    assert not (tmp_path / "run").exists()


def test_another_configuration_is_refused(earlier: Path, tmp_path: Path):
    other = replace(config(), heads={"enter": 1.0, "long_watch": 2.0})
    with pytest.raises(ConfigError, match="expected a run of this configuration to go on from"):
        train(other, TRAINING, VALIDATION, tmp_path / "run", encodings=ENCODINGS, since=earlier)


def test_a_folder_without_a_finished_run_is_refused(tmp_path: Path):
    with pytest.raises(TrainedError, match="expected a training run's directory"):
        gone_on(tmp_path / "nothing", tmp_path / "run", TRAINING)
