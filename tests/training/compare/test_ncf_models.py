"""What the table of the NCF protocol fits, on a checkerboard whose withheld squares are evident."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from training.compare.ials import Ials, fit_ials
from training.compare.ncf import measure_ncf
from training.compare.ncf_data import NcfData
from training.compare.ncf_neumf import NcfNeuMF, fit_neumf
from training.compare.ncf_table import NCF_MODELS, ncf_table
from training.models.recall.neumf import NeuMFOptions

SMALL = NeuMFOptions(factors=4, embedding=4, tower=(8, 4), pretraining_epochs=6, negatives=2, l2=1e-4)


@pytest.fixture(scope="module")
def checkerboard() -> NcfData:
    """Users rate items of their own colour, all but a few; a target is of it too, the negatives are of the other."""
    rng = np.random.default_rng(0)
    users, items = 80, 30
    colour = np.arange(users) % 2
    own = np.stack([rng.permutation(items // 2) * 2 + colour[user] for user in range(users)])
    other = np.stack([rng.permutation(items // 2) * 2 + 1 - colour[user] for user in range(users)])
    user, item = np.repeat(np.arange(users), 10), own[:, 1:11].ravel()
    return NcfData(users, items, user, item, own[:, 0], other, "checkerboard")


@pytest.mark.parametrize("name", ["item_cf", "ials"])
def test_the_withheld_item_of_a_checkerboard_stands_first(checkerboard: NcfData, name: str):
    scorer = NCF_MODELS[name].fit(checkerboard, 0, lambda _: None)
    assert measure_ncf(checkerboard, scorer).ndcg > 0.95


def test_neumf_learns_the_checkerboard_and_tells_of_its_epochs(checkerboard: NcfData):
    told: list[int] = []
    how = NcfNeuMF(options=SMALL, epochs=10, batch=64, learning_rate=0.05, joined_learning_rate=0.01)
    scorer = fit_neumf(checkerboard, 1, told.append, how)
    assert measure_ncf(checkerboard, scorer).ndcg > 0.95
    assert told == list(range(1, 11))


def test_neumf_repeats_for_a_seed_and_never_looks_at_the_targets(checkerboard: NcfData):
    how = NcfNeuMF(options=SMALL, epochs=1, batch=400)
    blind = replace(checkerboard, target=checkerboard.negatives[:, 0], negatives=checkerboard.negatives[:, 1:])
    blind = replace(blind, negatives=np.column_stack([blind.negatives, checkerboard.target]))
    first, again = (fit_neumf(data, 1, how=how)(np.arange(3)) for data in (checkerboard, blind))
    assert again == pytest.approx(first, abs=1e-6)


def test_each_half_step_of_ials_solves_the_equations_of_its_loss():
    rated = sparse.csr_matrix(np.array([[1, 1, 0], [0, 1, 1], [1, 0, 0]], np.float32))
    how = Ials(factors=2, epochs=3, unobserved=0.3, regularisation=0.1, exponent=0.5)
    x, y = fit_ials(rated, how, seed=4)
    # At the optimum of y the derivative of the loss by y_i is 0, item by item, with n_i raters of 3 users.
    for item, raters in enumerate(([0, 2], [0, 1], [1])):
        residual = sum((x[user] @ y[item] - 1) * x[user] for user in raters)
        everywhere = 0.3 * x.T @ (x @ y[item])
        weight = 0.1 * (len(raters) + 0.3 * 3) ** 0.5 * y[item]
        assert residual + everywhere + weight == pytest.approx(np.zeros(2), abs=1e-5)


def test_a_model_that_draws_nothing_is_fitted_once(checkerboard: NcfData):
    told: list[tuple[str, int, int]] = []
    table = ncf_table(checkerboard, ["popularity", "ials"], [3, 4], lambda *what: told.append(what))
    assert table["popularity"].seeds == (3,)
    assert table["ials"].seeds == (3, 4)
    assert table["ials"].ndcg.shape == (2,)
    assert told[-1] == ("ials", 24, 24)


def test_a_model_that_is_unknown_is_named(checkerboard: NcfData):
    with pytest.raises(ValueError, match=r"expected names among .*'neumf'.*, received \['ncf'\]"):
        ncf_table(checkerboard, ["ncf"], [0])
