"""The live index finds the rooms with the greatest inner products."""

import numpy as np

from feature_service.live.index import LiveIndex


def _vectors(*values: float) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Vectors of width 1, so that a score is value × query."""
    return np.array(values, np.float32)[:, None]


def _index(rooms: dict[int, float]) -> LiveIndex:
    index = LiveIndex(1)
    index.put(np.array(list(rooms), np.intp), _vectors(*rooms.values()))
    return index


ONE = np.ones(1, np.float32)


def test_the_best_rooms_come_first() -> None:
    rows, scores = _index({5: 0.5, 9: 2, 2: -1, 7: 1}).search(ONE, 3)
    assert rows.tolist() == [9, 7, 5]
    assert scores.tolist() == [2, 1, 0.5]
    assert (rows.dtype, scores.dtype) == (np.intp, np.float32)


def test_equal_scores_come_by_row_also_at_the_cut() -> None:
    index = _index({9: 1, 3: 1, 7: 1, 5: 2})
    assert index.search(ONE, 2)[0].tolist() == [5, 3]
    assert index.search(ONE, 3)[0].tolist() == [5, 3, 7]


def test_more_than_there_are_gives_all() -> None:
    assert _index({4: 1, 2: 3}).search(ONE, 10)[0].tolist() == [2, 4]


def test_an_empty_index_finds_nothing() -> None:
    assert LiveIndex(1).search(ONE, 3)[0].tolist() == []
    assert _index({4: 1}).search(ONE, 0)[0].tolist() == []


def test_putting_a_room_again_replaces_its_vector() -> None:
    index = _index({4: 1, 2: 3})
    index.put(np.array([2], np.intp), _vectors(-1))
    assert index.search(ONE, 2)[0].tolist() == [4, 2]
    assert len(index) == 2


def test_a_removed_room_is_not_found_and_the_others_are() -> None:
    index = _index({4: 1, 2: 3, 6: 2})
    index.remove(4)
    index.remove(4)
    assert 4 not in index
    assert index.search(ONE, 3)[0].tolist() == [2, 6]
    index.remove(6)
    assert index.search(ONE, 3)[0].tolist() == [2]


def test_it_agrees_with_a_full_sort_after_many_changes() -> None:
    generator = np.random.default_rng(3)
    index, held = LiveIndex(4), {}
    for _ in range(40):
        rows = generator.choice(400, 50, replace=False) + 1
        vectors = generator.normal(size=(50, 4)).astype(np.float32)
        index.put(rows, vectors)
        held |= dict(zip(rows.tolist(), vectors, strict=True))
        for row in generator.choice(400, 20) + 1:
            index.remove(int(row))
            held.pop(int(row), None)
    query = generator.normal(size=4).astype(np.float32)
    expected = sorted(held, key=lambda row: (-float(np.dot(held[row].astype(np.float64), query)), row))[:20]
    assert len(index) == len(held)
    assert index.search(query, 20)[0].tolist() == expected
