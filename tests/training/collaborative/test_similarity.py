"""Similar streamers: the formulas, and that blocks, threads and ties decide nothing."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from training.collaborative import similarity
from training.collaborative.similarity import Similarity, neighbours

COSINE = Similarity("cosine", neighbours=10, shrink=0.0, damping=0.5, k1=2.0, b=0.5)
#           streamer 0  1  2  3
WORTH = np.array([[1, 2, 0, 0],
                  [0, 2, 1, 0],
                  [2, 0, 0, 0],
                  [0, 0, 0, 3.0]])  # fmt: skip


def table(worth: np.ndarray, how: Similarity) -> np.ndarray:
    """Similarities as a dense matrix; 0 where there is no neighbour."""
    found = neighbours(sp.csr_matrix(worth), how)
    dense = np.zeros((worth.shape[1], worth.shape[1]))
    for own, (rows, scores) in enumerate(zip(found.rows, found.scores, strict=True)):
        dense[own, rows[rows >= 0]] = scores[rows >= 0]
    return dense


def test_cosine_of_known_columns() -> None:
    # |r_0|² = 5, |r_1|² = 8, |r_2|² = 1; ⟨r_0, r_1⟩ = 2, ⟨r_1, r_2⟩ = 2.
    found = table(WORTH, COSINE)
    assert found[0].tolist() == pytest.approx([1, 2 / np.sqrt(40), 0, 0])
    assert found[1].tolist() == pytest.approx([2 / np.sqrt(40), 1, 2 / np.sqrt(8), 0])
    assert found[3].tolist() == pytest.approx([0, 0, 0, 1])


def test_shrinkage_takes_a_small_overlap_less_seriously() -> None:
    found = table(WORTH, replace(COSINE, shrink=2.0))
    assert found[0, 1] == pytest.approx(2 / (np.sqrt(40) + 2))
    assert found[1, 2] == pytest.approx(2 / (np.sqrt(8) + 2))


def test_damping_lowers_the_popular_neighbour() -> None:
    found = table(WORTH, replace(COSINE, damping=0.75))
    # n_1^(2·¼) · n_j^(2·¾) of the neighbours 0 (|r|² = 5) and 2 (|r|² = 1).
    assert found[1, 0] == pytest.approx(2 / (8**0.25 * 5**0.75))
    assert found[1, 2] == pytest.approx(2 / 8**0.25)


def test_jaccard_of_sets_is_the_share_of_common_viewers() -> None:
    found = table((WORTH > 0).astype(float), replace(COSINE, name="jaccard"))
    assert found[0].tolist() == pytest.approx([1, 1 / 3, 0, 0])
    assert found[1].tolist() == pytest.approx([1 / 3, 1, 1 / 2, 0])


def test_bm25_saturates_and_trusts_the_choosy_viewer() -> None:
    # Streamers 0 and 1 share a viewer of two streamers, streamers 1 and 2 one of three: alike otherwise.
    worth = np.array([[1, 1, 0, 0, 0], [0, 1, 1, 1, 0], [0, 0, 0, 0, 1]], float)
    found = table(worth, replace(COSINE, name="bm25"))
    assert found[0, 1] > found[2, 1]
    often = worth.copy()
    often[0, 0] = 1000
    # k₁ bounds what a thousand visits weigh: (k₁ + 1) at most, before length.
    assert table(often, replace(COSINE, name="bm25"))[0, 1] == pytest.approx(found[0, 1], rel=0.5)


def test_only_the_nearest_are_kept_and_itself_stands_first() -> None:
    worth = np.array([[3, 1, 2, 4, 1]], float)  # Every cosine is 1: the ties go by row.
    found = neighbours(sp.csr_matrix(worth), replace(COSINE, neighbours=2))
    assert found.rows.tolist() == [[0, 1, 2], [1, 0, 2], [2, 0, 1], [3, 0, 1], [4, 0, 1]]


def test_a_streamer_without_company_has_no_neighbour() -> None:
    found = neighbours(sp.csr_matrix(WORTH), COSINE)
    assert found.rows[3].tolist() == [3, -1, -1, -1]
    assert found.scores[3].tolist() == [1, 0, 0, 0]


def test_blocks_and_threads_decide_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    worth = sp.csr_matrix(rng.integers(1, 4, (60, 40)) * (rng.random((60, 40)) < 0.2))
    whole = neighbours(worth, replace(COSINE, neighbours=7), threads=1)
    monkeypatch.setattr(similarity, "_BLOCK", 3)
    parts = neighbours(worth, replace(COSINE, neighbours=7), threads=4)
    assert np.array_equal(whole.rows, parts.rows)
    assert np.array_equal(whole.scores, parts.scores)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"name": "pearson"}, "similarity: expected one of cosine, bm25, jaccard, received 'pearson'"),
        ({"damping": 1.5}, "damping: expected a number between 0 and 1, received 1.5"),
    ],
)
def test_what_cannot_be_computed_is_named(changed: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(COSINE, **changed)
