"""The live index refuses what it cannot hold, and changes between exact and approximate search as rooms come and go."""

import sys
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from feature_service.live import build
from feature_service.live.approximate import Approximation
from feature_service.live.exact import Rows, Vectors
from feature_service.live.index import LiveIndex

WIDTH = 8
ABOVE = 2_000
PATIENCE_S = 60.0


def _join_build() -> None:
    """Waits until no thread builds."""
    for thread in threading.enumerate():
        if thread.name == build.THREAD_NAME:
            thread.join(PATIENCE_S)
            assert not thread.is_alive()


@pytest.fixture(autouse=True)
def _no_build_is_left() -> Iterator[None]:
    yield
    _join_build()


def _vectors(count: int, seed: int = 0) -> Vectors:
    return np.random.default_rng(seed).normal(size=(count, WIDTH)).astype(np.float32)


def _live(count: int, probe: float = 1.0) -> tuple[LiveIndex, Vectors]:
    """An index that approximates above `ABOVE` rooms, with so many of them, rows from 0."""
    index, vectors = LiveIndex(WIDTH, Approximation(ABOVE, probe)), _vectors(count)
    index.put(np.arange(count), vectors)
    return index, vectors


def _search_until_approximate(index: LiveIndex) -> None:
    """Once the thread is done, each call catches up with some of the changes; so few are done in as many calls."""
    _join_build()
    for _ in range(100):
        index.search(np.ones(WIDTH, np.float32), 1)


def _best(held: dict[int, Vectors], query: Vectors, k: int) -> list[int]:
    return sorted(held, key=lambda row: (-float(held[row].astype(np.float64) @ query), row))[:k]


def test_below_the_size_it_stays_exact() -> None:
    index, _ = _live(ABOVE - 1)
    _search_until_approximate(index)
    assert not index.approximates


def test_without_a_size_it_never_approximates() -> None:
    index = LiveIndex(WIDTH)
    index.put(np.arange(ABOVE), _vectors(ABOVE))
    _search_until_approximate(index)
    assert not index.approximates


def test_above_the_size_it_approximates_and_finds_most_of_the_best() -> None:
    index, vectors = _live(ABOVE, probe=0.2)
    assert not index.approximates, "while the thread builds, the exact search answers"
    _search_until_approximate(index)
    assert index.approximates
    query = _vectors(1, seed=9)[0]
    best = _best(dict(enumerate(vectors)), query, 100)
    assert np.isin(best, index.search(query, 100)[0]).mean() > 0.7


def test_what_changes_while_it_builds_is_found_before_and_after() -> None:
    index, vectors = _live(ABOVE)
    held, query = dict(enumerate(vectors)), _vectors(1, seed=9)[0]
    fresh = _vectors(700, seed=1)
    rows = np.concatenate([np.arange(300), np.arange(ABOVE, ABOVE + 400)])  # Some are replaced, some are new.
    index.put(rows, fresh)
    held |= dict(zip(rows.tolist(), fresh, strict=True))
    for row in range(200, 900):
        index.remove(row)
        del held[row]
    assert index.search(query, 100)[0].tolist() == _best(held, query, 100)
    _search_until_approximate(index)
    assert index.approximates
    assert len(index) == len(held)
    assert sorted(index.search(query, ABOVE * 2)[0].tolist()) == sorted(held)
    assert index.search(query, 100)[0].tolist() == _best(held, query, 100)


def test_what_the_builder_read_where_another_room_lay_by_then_is_put_right(monkeypatch: pytest.MonkeyPatch) -> None:
    changed, make = threading.Event(), build.ApproximateIndex

    def late(blocks: list[build.Block], probe: float) -> build.ApproximateIndex:
        assert changed.wait(PATIENCE_S)
        return make(blocks, probe)

    monkeypatch.setattr(build, "ApproximateIndex", late)
    index, vectors = _live(ABOVE)
    held, fresh, query = dict(enumerate(vectors)), _vectors(1, seed=1), _vectors(1, seed=9)[0]
    index.remove(0)  # The last room moves to its place in memory,
    index.put(np.array([ABOVE + 5]), fresh)  # and the new one to the last room's.
    changed.set()
    del held[0]
    held[ABOVE + 5] = fresh[0]
    _search_until_approximate(index)
    assert index.approximates
    rows, scores = index.search(query, ABOVE)
    assert rows.tolist() == _best(held, query, ABOVE)
    assert scores == pytest.approx([held[row] @ query for row in rows.tolist()], abs=1e-5)


def test_a_new_room_is_found_at_once_by_the_approximate_search_and_a_removed_one_is_not() -> None:
    index, _ = _live(ABOVE, probe=0.05)
    _search_until_approximate(index)
    query = np.ones(WIDTH, np.float32)
    index.put(np.array([99_999]), 10 * query[None])  # Far longer than what the cells were learned from.
    assert index.search(query, 5)[0][0] == 99_999
    assert 99_999 in index
    index.remove(99_999)
    assert 99_999 not in index.search(query, 5)[0]
    assert 99_999 not in index


def test_as_many_rooms_as_are_wanted_are_found_however_few_cells_are_visited() -> None:
    index, _ = _live(ABOVE, probe=0.001)
    _search_until_approximate(index)
    for k in (1, 500, ABOVE, ABOVE + 1):
        assert len(index.search(np.ones(WIDTH, np.float32), k)[0]) == min(k, ABOVE)


def test_far_below_the_size_it_is_exact_again_and_comes_back() -> None:
    index, vectors = _live(ABOVE)
    _search_until_approximate(index)
    for row in range(ABOVE // 2 + 1):
        index.remove(row)
    assert not index.approximates
    index.put(np.arange(ABOVE), vectors)
    _search_until_approximate(index)
    assert index.approximates


def test_the_cells_are_learned_anew_when_the_rooms_have_doubled(monkeypatch: pytest.MonkeyPatch) -> None:
    index, _ = _live(ABOVE)
    _search_until_approximate(index)
    built: list[int] = []
    monkeypatch.setattr(build, "ApproximateIndex", _Counting(built))
    index.put(np.arange(ABOVE, 2 * ABOVE), _vectors(ABOVE, seed=2))
    _search_until_approximate(index)
    assert built == []
    index.put(np.array([2 * ABOVE]), _vectors(1))
    _search_until_approximate(index)
    assert built == [2 * ABOVE + 1]


class _Counting:
    """Makes approximate indexes, and notes the number of rooms."""

    def __init__(self, built: list[int]) -> None:
        self._built = built
        self._make = build.ApproximateIndex

    def __call__(self, blocks: list[build.Block], probe: float) -> build.ApproximateIndex:
        self._built.append(sum(len(block.rows) for block in blocks))
        return self._make(blocks, probe)


def test_when_the_build_fails_it_stays_exact_and_says_why(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(blocks: list[build.Block], probe: float) -> build.ApproximateIndex:
        raise MemoryError("no room for cells")

    monkeypatch.setattr(build, "ApproximateIndex", broken)
    index, vectors = _live(ABOVE)
    _search_until_approximate(index)
    query = _vectors(1, seed=9)[0]
    assert not index.approximates
    assert index.search(query, 9)[0].tolist() == _best(dict(enumerate(vectors)), query, 9)
    assert "no room for cells" in caplog.text
    assert caplog.text.count("was not built") == 1, "it does not try again and again"


def test_a_build_that_nobody_wants_any_more_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    putting, dropped = threading.Event(), threading.Event()
    puts: list[int] = []

    class Slow:
        def __init__(self, blocks: list[build.Block], probe: float) -> None:
            """Learns nothing."""

        def put(self, rows: Rows, vectors: Vectors) -> None:
            puts.append(len(rows))
            putting.set()
            assert dropped.wait(PATIENCE_S)

    monkeypatch.setattr(build, "ApproximateIndex", Slow)
    monkeypatch.setattr(build, "CHUNK", 10)
    index, _ = _live(ABOVE)
    assert putting.wait(PATIENCE_S)
    del index
    dropped.set()
    _join_build()
    assert puts == [10]


def test_without_the_library_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    LiveIndex(WIDTH)
    with pytest.raises(ImportError, match=r"approximate_above: expected the package faiss-cpu \(.*onair\[ann\]"):
        LiveIndex(WIDTH, Approximation(above=1))


@pytest.mark.parametrize(
    ("above", "probe", "message"),
    [
        (-1, 0.1, "approximate_above: expected 0 or a number of rooms, received -1"),
        (1, 0.0, "approximate_probe: expected a share above 0 and at most 1, received 0.0"),
        (1, 1.5, "approximate_probe: expected a share above 0 and at most 1, received 1.5"),
    ],
)
def test_an_approximation_that_makes_no_sense_is_refused(above: int, probe: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Approximation(above, probe)


@pytest.mark.parametrize(
    ("rows", "shape", "message"),
    [
        ([1, 2], (2, WIDTH + 1), r"vectors: expected \(2, 8\), received \(2, 9\)"),
        ([1, 2], (1, WIDTH), r"vectors: expected \(2, 8\), received \(1, 8\)"),
        ([1, -1], (2, WIDTH), "rows: expected none below 0, received -1"),
        ([3, 3], (2, WIDTH), "rows: expected each once, received 3 twice"),
    ],
)
def test_what_is_no_vector_a_room_is_refused_and_nothing_is_taken(
    rows: Rows, shape: tuple[int, int], message: str
) -> None:
    index = LiveIndex(WIDTH)
    with pytest.raises(ValueError, match=message):
        index.put(np.array(rows), np.ones(shape, np.float32))
    assert len(index) == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_room_whose_vector_is_not_finite_leaves_and_is_logged_and_the_others_come(
    bad: float, caplog: pytest.LogCaptureFixture
) -> None:
    index = LiveIndex(1)
    index.put(np.array([1]), np.array([[5]], np.float32))
    index.put(np.array([1, 2]), np.array([[bad], [3]], np.float32))
    assert index.search(np.ones(1, np.float32), 5)[0].tolist() == [2]
    assert "1 of 2 room vectors are not finite" in caplog.text


@pytest.mark.parametrize("query", [np.ones(2, np.float32), np.array([np.nan], np.float32)])
def test_a_query_that_no_room_can_be_compared_with_is_refused(query: Vectors) -> None:
    with pytest.raises(ValueError, match="vector: expected 1 finite numbers, received"):
        LiveIndex(1).search(query, 1)
