"""Models solved from visits: trained anew, gone on from an earlier run, and refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.worlds import ENCODINGS, toy_world, visits_of
from training.collaborative.interactions import Interactions
from training.data.erased import Erased
from training.data.samples import Samples
from training.run_config import ConfigError, RunConfig, parse_config
from training.solve import INTERACTIONS_FILE
from training.train import train
from training.trained import SOLUTION_FILE, TrainedError

DAY_MS = 86_400_000
FIRST, SECOND = toy_world(60, seed=1).samples, toy_world(60, seed=2, start_ms=DAY_MS).samples
LATER = toy_world(5, seed=3, start_ms=2 * DAY_MS).samples
WATCHED = ["user.watched.streamer", "user.watched.dwell_s", "user.watched.age_minutes"]


def config(model: str = "item_cf", **changed: Any) -> RunConfig:
    features = {"user": WATCHED, "candidate": ["streamer.id"]}
    return parse_config({"model": model, "features": features} | changed, "test")


def solved(directory: Path, training: Samples, validation: Samples, **given: Any) -> dict[str, np.ndarray]:
    """The solution of item-based CF from the visits of both parts; those of validation must not count."""
    visits = visits_of(training), visits_of(validation)
    both = replace(
        visits[0],
        **{name: np.concatenate([getattr(v, name) for v in visits]) for name in type(visits[0]).__slots__},
    )
    train(given.pop("config", config()), training, validation, directory, encodings=ENCODINGS, visits=both, **given)
    with np.load(directory / SOLUTION_FILE) as arrays:
        return {name: arrays[name] for name in arrays.files}


def joined(one: Samples, two: Samples) -> Samples:
    """The samples of one log that goes on in another."""

    def both(name: str, side: str) -> np.ndarray:
        return np.concatenate([getattr(getattr(part, side), name) for part in (one, two)])

    slates = replace(
        one.slates,
        tensors={n: np.concatenate([one.slates.tensors[n], two.slates.tensors[n]]) for n in one.slates.tensors},
        time_ms=both("time_ms", "slates"),
        user=both("user", "slates"),
    )
    names = ("room", "streamer", "position", "propensity", "sampled", "labels", "mask")
    tensors = one.candidates.tensors
    candidates = replace(
        one.candidates,
        tensors={n: np.concatenate([tensors[n], two.candidates.tensors[n]]) for n in tensors},
        slate=np.concatenate([one.candidates.slate, two.candidates.slate + len(one.slates.user)]),
        **{name: both(name, "candidates") for name in names},
    )
    return replace(one, slates=slates, candidates=candidates)


def test_an_earlier_run_and_the_visits_since_give_what_all_visits_give(tmp_path: Path) -> None:
    solved(tmp_path / "earlier", FIRST, SECOND)
    since = solved(tmp_path / "since", SECOND, LATER, since=tmp_path / "earlier")
    whole = solved(tmp_path / "whole", joined(FIRST, SECOND), LATER)
    assert len(whole["streamers"]) > 8
    for name, values in whole.items():
        assert np.array_equal(since[name], values), name


def test_an_erased_viewers_visits_in_the_earlier_run_do_not_count(tmp_path: Path) -> None:
    solved(tmp_path / "earlier", FIRST, SECOND)
    user = int(visits_of(FIRST).user[0])
    assert user in Interactions.read(tmp_path / "earlier" / INTERACTIONS_FILE).user
    given = Erased.of({user: DAY_MS - 1})
    solved(tmp_path / "since", SECOND, LATER, since=tmp_path / "earlier", erased=given)
    found = Interactions.read(tmp_path / "since" / INTERACTIONS_FILE)
    assert {0, 1} <= set(found.day.tolist())
    assert 0 not in found.day[found.user == user]


def test_visits_of_the_validation_part_do_not_count(tmp_path: Path) -> None:
    found = solved(tmp_path / "run", FIRST, SECOND)
    directory = tmp_path / "alone"
    train(config(), FIRST, SECOND, directory, encodings=ENCODINGS, visits=visits_of(FIRST))
    with np.load(directory / SOLUTION_FILE) as arrays:
        assert all(np.array_equal(arrays[name], values) for name, values in found.items())


def test_a_run_says_what_it_was_solved_from(tmp_path: Path) -> None:
    visits = visits_of(FIRST)
    trained = train(config(), FIRST, SECOND, tmp_path / "run", encodings=ENCODINGS, visits=visits)
    (only,) = trained.history
    assert (only["visits"], only["viewers"]) == (len(visits.user), len(np.unique(visits.user)))
    assert (tmp_path / "run" / INTERACTIONS_FILE).exists()


def test_a_log_without_visits_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="model mf: expected visits to solve it from, received none in training"):
        train(config("mf"), FIRST, SECOND, tmp_path / "run", encodings=ENCODINGS)


def test_a_recall_model_by_gradient_cannot_go_on_from_visits(tmp_path: Path) -> None:
    other = config("two_tower")
    with pytest.raises(
        ConfigError, match="model two_tower: expected a ranker that learns by gradient alone, or a model"
    ):
        train(other, FIRST, SECOND, tmp_path / "run", encodings=ENCODINGS, since=tmp_path)


def test_a_folder_without_visits_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainedError, match="nowhere: expected the run of a model solved from visits, received none"):
        solved(tmp_path / "run", FIRST, SECOND, since=tmp_path / "nowhere")


def test_a_run_that_has_seen_later_visits_is_none_to_go_on_from(tmp_path: Path) -> None:
    solved(tmp_path / "later", SECOND, LATER)
    with pytest.raises(TrainedError, match=r"later: visits: expected some from .* on, received visits until"):
        solved(tmp_path / "run", FIRST, SECOND, since=tmp_path / "later")


def test_features_without_the_streamers_watched_are_refused(tmp_path: Path) -> None:
    blind = config(features={"user": ["user.id"], "candidate": ["streamer.id"]})
    with pytest.raises(ConfigError, match=r"item_cf: features: expected user\.watched\.streamer among them"):
        solved(tmp_path / "run", FIRST, SECOND, config=blind)


def test_an_unknown_similarity_is_an_error_of_the_configuration() -> None:
    with pytest.raises(ConfigError, match=r"test: options\.similarity: expected one of cosine, bm25, jaccard"):
        config(options={"similarity": "pearson"})
