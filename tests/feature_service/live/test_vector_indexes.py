"""What every index of vectors does, exact or approximate; an approximate one that visits every cell finds the same."""

from collections.abc import Callable

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from feature_service.live.approximate import ApproximateIndex, Approximation
from feature_service.live.exact import BLOCK, Block, ExactIndex, Rows, Vectors
from feature_service.live.index import LiveIndex, VectorIndex

WIDTH = 4


def _approximate() -> VectorIndex:
    """Its cells are learned from rooms of its own; it starts empty all the same."""
    known = np.random.default_rng(0).normal(size=(100, WIDTH)).astype(np.float32)
    return ApproximateIndex([Block(np.arange(100), known)], probe=1.0)


INDEXES: dict[str, Callable[[], VectorIndex]] = {
    "exact": lambda: ExactIndex(WIDTH),
    "approximate": _approximate,
    "live": lambda: LiveIndex(WIDTH),
    "live, approximate from the first room on": lambda: LiveIndex(WIDTH, Approximation(above=1, probe=1.0)),
}
QUERY = np.array([1, 0, 0, 0], np.float32)


@pytest.fixture(params=list(INDEXES.values()), ids=list(INDEXES))
def index(request: pytest.FixtureRequest) -> VectorIndex:
    return request.param()


def _put(index: VectorIndex, rooms: dict[int, float]) -> None:
    """Rooms whose score for `QUERY` is the number."""
    vectors = np.zeros((len(rooms), WIDTH), np.float32)
    vectors[:, 0] = list(rooms.values())
    index.put(np.array(list(rooms), np.intp), vectors)


def _found(index: VectorIndex, k: int) -> list[int]:
    return index.search(QUERY, k)[0].tolist()


def _brute_force(held: dict[int, Vectors], query: Vectors, k: int) -> Rows:
    """By definition: descending score, then ascending row. Small whole numbers, so that every product is exact."""
    return np.array(sorted(held, key=lambda row: (-float(held[row] @ query), row))[:k], np.intp)


def test_the_best_rooms_come_first(index: VectorIndex) -> None:
    _put(index, {5: 0.5, 9: 2, 2: -1, 7: 1})
    rows, scores = index.search(QUERY, 3)
    assert rows.tolist() == [9, 7, 5]
    assert scores.tolist() == pytest.approx([2, 1, 0.5])
    assert (rows.dtype, scores.dtype) == (np.intp, np.float32)


def test_equal_scores_come_by_row(index: VectorIndex) -> None:
    _put(index, {9: 1, 3: 1, 7: 1, 5: 2})
    assert _found(index, 4) == [5, 3, 7, 9]


def test_more_than_there_are_gives_all(index: VectorIndex) -> None:
    _put(index, {4: 1, 2: 3})
    assert _found(index, 10) == [2, 4]
    assert len(index) == 2


def test_an_empty_index_finds_nothing(index: VectorIndex) -> None:
    assert _found(index, 3) == []
    index.put(np.zeros(0, np.intp), np.zeros((0, WIDTH), np.float32))
    assert len(index) == 0


def test_none_wanted_gives_none(index: VectorIndex) -> None:
    _put(index, {4: 1})
    assert _found(index, 0) == []


def test_putting_a_room_again_replaces_its_vector(index: VectorIndex) -> None:
    _put(index, {4: 1, 2: 3})
    _put(index, {2: -1})
    assert _found(index, 2) == [4, 2]
    assert len(index) == 2


def test_a_removed_room_is_not_found_and_the_others_are(index: VectorIndex) -> None:
    _put(index, {4: 1, 2: 3, 6: 2})
    index.remove(4)
    index.remove(4)
    index.remove(1_000_000)
    assert _found(index, 3) == [2, 6]
    index.remove(6)
    assert _found(index, 3) == [2]
    _put(index, {6: 4})
    assert _found(index, 3) == [6, 2]


def test_a_query_of_zeros_scores_all_rooms_alike(index: VectorIndex) -> None:
    _put(index, {4: 1, 2: 3})
    rows, scores = index.search(np.zeros(WIDTH, np.float32), 2)
    assert rows.tolist() == [2, 4]
    assert scores.tolist() == [0, 0]


def test_it_agrees_with_the_definition_after_many_changes(index: VectorIndex) -> None:
    generator = np.random.default_rng(3)
    held: dict[int, Vectors] = {}
    query = np.array([1, 10, 100, 1000], np.float32)
    for _ in range(40):
        rows = generator.choice(4000, 50, replace=False)
        # The last coordinate is the row, so that no two scores are equal: which of equals are cut is not defined.
        vectors = np.column_stack([generator.integers(-2, 3, (50, 3)), rows]).astype(np.float32)
        index.put(rows, vectors)
        held |= dict(zip(rows.tolist(), vectors, strict=True))
        for row in generator.choice(4000, 200).tolist():
            index.remove(row)
            held.pop(row, None)
    assert len(index) == len(held)
    assert index.search(query, 100)[0].tolist() == _brute_force(held, query, 100).tolist()


@pytest.mark.parametrize("count", [63, 64, 65, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 77])
@pytest.mark.parametrize("k", [1, 500, 100_000])
def test_the_exact_index_equals_the_definition_whatever_the_number_of_blocks(count: int, k: int) -> None:
    generator = np.random.default_rng(count)
    rows = generator.permutation(3 * BLOCK)[:count]
    vectors = generator.integers(-3, 4, (count, WIDTH)).astype(np.float32)  # Few values: nearly every score is a tie.
    index, query = ExactIndex(WIDTH), np.array([3, -1, 2, 1], np.float32)
    for start in range(0, count, 10_000):
        index.put(rows[start : start + 10_000], vectors[start : start + 10_000])
    scores = vectors @ query
    expected = np.lexsort((rows, -scores))[:k]
    found, found_scores = index.search(query, k)
    assert np.array_equal(found, rows[expected])
    assert np.array_equal(found_scores, scores[expected])


@pytest.mark.parametrize("ascending", [False, True])
def test_the_exact_index_does_not_mind_in_which_order_rooms_came(ascending: bool) -> None:
    count = 2 * BLOCK + 5
    values = np.arange(count, dtype=np.float32) if ascending else np.arange(count, 0, -1, dtype=np.float32)
    index = ExactIndex(1)
    index.put(np.arange(count), values[:, None])
    best = np.arange(count - 1, count - 501, -1) if ascending else np.arange(500)
    assert np.array_equal(index.search(np.ones(1, np.float32), 500)[0], best)


def test_more_than_a_block_holds_are_found_in_whichever_block_they_lie() -> None:
    count = 2 * BLOCK + 5
    index = ExactIndex(1)
    index.put(np.arange(count), np.arange(count, 0, -1, dtype=np.float32)[:, None])
    assert np.array_equal(index.search(np.ones(1, np.float32), BLOCK + 500)[0], np.arange(BLOCK + 500))


@pytest.mark.parametrize("every", [8, 10, 16, 20, 1000])
def test_the_exact_index_does_not_mind_where_the_best_rooms_lie(every: int) -> None:
    """At even distances or side by side, all others equal: a bound by groups of places must not cut any."""
    count, generator = 20_000, np.random.default_rng(every)
    values = np.zeros(count, np.float32)
    values[::every] = generator.permutation(len(values[::every])) + 1
    index = ExactIndex(1)
    index.put(np.arange(count), values[:, None])
    expected = np.lexsort((np.arange(count), -values))[:500]
    assert np.array_equal(index.search(np.ones(1, np.float32), 500)[0], expected)


def test_products_too_small_for_a_float_are_equal_whatever_their_sign() -> None:
    index = ExactIndex(1)
    index.put(np.arange(3), np.array([[1e-30], [-1e-30], [1e-30]], np.float32))
    rows, scores = index.search(np.array([1e-30], np.float32), 3)  # 0, -0, 0
    assert rows.tolist() == [0, 1, 2]
    assert scores.tolist() == [0, 0, 0]


def test_scores_of_every_magnitude_come_back_as_they_are() -> None:
    positive = np.array([1e-45, 1e-38, 0.1, 1, 3, 1e30, np.finfo(np.float32).max, np.inf], np.float32)
    index, falling = ExactIndex(1), np.concatenate((positive[::-1], -positive))
    index.put(np.arange(len(falling)), falling[:, None])
    rows, scores = index.search(np.ones(1, np.float32), len(falling))
    assert rows.tolist() == list(range(len(falling)))
    assert np.array_equal(scores, falling)


def test_rooms_leave_and_come_across_blocks() -> None:
    index = ExactIndex(1)
    rows = np.arange(BLOCK + 10)
    index.put(rows, rows.astype(np.float32)[:, None])
    for row in range(BLOCK, BLOCK + 10):  # The second block empties, the first one fills their gaps.
        index.remove(row - BLOCK)
        index.remove(row)
    index.put(np.array([7, 3]), np.array([[1e6], [-1e6]], np.float32))
    found = index.search(np.ones(1, np.float32), BLOCK)[0]
    assert len(index) == BLOCK - 8
    assert found.tolist() == [7, *range(BLOCK - 1, 9, -1), 3]


@pytest.mark.parametrize("width", [16, 31, 64, 65])
def test_equal_vectors_have_equal_scores_wherever_they_lie(width: int) -> None:
    generator = np.random.default_rng(width)
    vector, query = generator.normal(size=(2, width)).astype(np.float32)
    for count in (3, 67, 1003):
        index = ExactIndex(width)
        index.put(np.arange(count)[::-1], np.tile(vector, (count, 1)))
        with threadpool_limits(1, user_api="blas"):
            rows, scores = index.search(query, count)
        assert len(set(scores.tolist())) == 1
        assert rows.tolist() == list(range(count))


def test_when_a_quarter_of_the_rooms_is_wanted_the_approximate_search_visits_every_cell() -> None:
    vectors = np.random.default_rng(1).normal(size=(400, 16)).astype(np.float32)
    approximate, exact = ApproximateIndex([Block(np.arange(400), vectors)], probe=0.3), ExactIndex(16)
    for each in (approximate, exact):
        each.put(np.arange(400), vectors)
    query = np.ones(16, np.float32)
    assert approximate.search(query, 100)[0].tolist() == exact.search(query, 100)[0].tolist()


def test_rooms_that_all_lie_in_the_farthest_cells_are_found() -> None:
    known = np.random.default_rng(0).normal(size=(400, WIDTH)).astype(np.float32)
    index = ApproximateIndex([Block(np.arange(400), known)], probe=0.01)
    _put(index, {row: -10.0 - row for row in range(50)})
    assert _found(index, 5) == [0, 1, 2, 3, 4]


def test_long_vectors_are_found_however_many_short_ones_point_more_exactly() -> None:
    count, generator = 5_000, np.random.default_rng(5)
    lengths = np.exp(generator.normal(size=(count, 1)))
    vectors = (generator.normal(size=(count, 8)) * lengths).astype(np.float32)
    approximate, exact = ApproximateIndex([Block(np.arange(count), vectors)], probe=0.1), ExactIndex(8)
    for each in (approximate, exact):
        each.put(np.arange(count), vectors)
    queries = generator.normal(size=(20, 8)).astype(np.float32)
    found = [np.isin(exact.search(each, 20)[0], approximate.search(each, 20)[0]).mean() for each in queries]
    assert np.mean(found) > 0.85, "0.79 by cells of the plain vectors"
