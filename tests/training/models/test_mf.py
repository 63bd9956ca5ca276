"""Matrix factorisation: the fold-in of the graph is the solver's own."""

from dataclasses import replace

import numpy as np
import pytest
from implicit.cpu.als import AlternatingLeastSquares
from scipy import sparse as sp
from threadpoolctl import threadpool_limits

from feature_service.features.layout import CANDIDATE_IDS, HISTORY_IDS, USER_IDS, Column, Layout, TensorLayout
from training.callable_model import CallableModel
from training.collaborative.factorisation import Factorisation, factorise
from training.collaborative.interactions import DAY_MS, Interactions
from training.layers.blueprint import Blueprint, InputSizes
from training.layers.fitted import Fitted
from training.models.recall.mf import MatrixFactorisation, MatrixFactorisationOptions
from training.recall_baselines import Enters

STEPS = 6
OPTIONS = MatrixFactorisationOptions(
    factors=8,
    streamers_per_factor=2,
    regularisation=0.5,
    alpha=3.0,
    weight="visits",
    half_life_days=1e9,
    recent_half_life_days=1e9,
)
LAYOUT = Layout(
    (
        TensorLayout(USER_IDS, (Column("user.id", 1, "int64", 1),)),
        TensorLayout(HISTORY_IDS, (Column("user.watched.streamer", 1, "int64", 1, STEPS),)),
        TensorLayout(CANDIDATE_IDS, (Column("streamer.id", 1, "int64", 1),)),
    )
)


def interactions() -> Interactions:
    """Forty viewers 1 … 40, each of one half of the streamers 101 … 120."""
    rng = np.random.default_rng(5)
    user = np.repeat(np.arange(1, 41), 8)
    streamer = 101 + rng.integers(0, 10, len(user)) + 10 * (user % 2)
    return Interactions.of(Enters.of(np.zeros(len(user), np.int64), user, streamer), DAY_MS)


SOLUTION = MatrixFactorisation.solve(interactions(), OPTIONS, seed=1)


def model_of(layout: Layout) -> CallableModel:
    sizes, fitted = InputSizes(), Fitted({}, {}, {}, {})
    blueprint = Blueprint(layout=layout, encodings={}, fitted=fitted, sizes=sizes, head_weights={})
    return CallableModel.of(MatrixFactorisation(blueprint, OPTIONS, SOLUTION))


@pytest.fixture(scope="module")
def model() -> CallableModel:
    return model_of(LAYOUT)


def user_vectors(model: CallableModel, viewer: int, *histories: list[int]) -> np.ndarray:
    keys = np.array([steps + [0] * (STEPS - len(steps)) for steps in histories], np.int64)[:, :, None]
    ids = np.full((len(histories), 1), viewer)
    return model.ask("user", {USER_IDS: ids, HISTORY_IDS: keys})["vector"]


def test_the_fold_in_is_what_the_solver_computes_for_a_new_viewer(model: CallableModel) -> None:
    # Streamer 103 twice and 117 once: confidences 1 + 3·2 and 1 + 3·1; a streamer nobody knows says nothing.
    streamers = SOLUTION["streamers"].tolist()
    confidence = np.zeros((1, len(streamers)), np.float32)
    confidence[0, streamers.index(103)], confidence[0, streamers.index(117)] = 7, 4
    with threadpool_limits(1, "blas"):
        solver = AlternatingLeastSquares(
            factors=8, regularization=0.5, alpha=1.0, use_cg=False, random_state=1, num_threads=1
        )
        solver.item_factors = SOLUTION["streamer_vectors"]
        expected = solver.recalculate_user(np.array([0]), sp.csr_matrix(confidence))
    assert user_vectors(model, 0, [103, 999, 117, 103])[0] == pytest.approx(np.ravel(expected), abs=1e-4)


def test_a_viewer_without_history_is_who_they_were_in_training(model: CallableModel) -> None:
    place = SOLUTION["viewers"].tolist().index(7)
    assert user_vectors(model, 7, [], [999]).tolist() == [SOLUTION["viewer_vectors"][place].tolist()] * 2


def test_a_stranger_without_history_has_no_taste(model: CallableModel) -> None:
    assert not user_vectors(model, 4711, []).any()


def test_a_layout_without_the_viewers_key_folds_in_alone() -> None:
    anonymous = model_of(LAYOUT.select([HISTORY_IDS, CANDIDATE_IDS]))
    assert [tensor.name for tensor in anonymous.reads("user").tensors] == [HISTORY_IDS]
    keys = np.zeros((1, STEPS, 1), np.int64)
    assert not anonymous.ask("user", {HISTORY_IDS: keys})["vector"].any()


def test_an_unknown_streamer_has_a_vector_of_zeros(model: CallableModel) -> None:
    vectors = model.ask("room", {CANDIDATE_IDS: np.array([[103], [999], [0]])})["vector"]
    assert vectors[0].any()
    assert not vectors[1:].any()


def test_the_same_seed_gives_the_same_solution_and_another_one_another() -> None:
    again, other = (MatrixFactorisation.solve(interactions(), OPTIONS, seed=seed) for seed in (1, 2))
    assert np.array_equal(again["streamer_vectors"], SOLUTION["streamer_vectors"])
    assert not np.allclose(other["streamer_vectors"], SOLUTION["streamer_vectors"])


def test_a_small_world_gets_few_factors() -> None:
    options = replace(OPTIONS, streamers_per_factor=5)
    found = MatrixFactorisation.solve(interactions(), options, seed=1)
    assert found["streamer_vectors"].shape == (20, 4)  # Twenty streamers.


def test_the_factors_know_who_watched_whom() -> None:
    watched = interactions().matrix(OPTIONS.worth)
    found = factorise(watched, Factorisation(8, 0.5, 3.0, 15), seed=1)
    predicted = found.users @ found.streamers.T
    cells = watched.worth.toarray() > 0
    assert predicted[cells].mean() > 0.8  # p = 1 there, and 0 elsewhere.
    assert predicted[~cells].mean() < 0.2
