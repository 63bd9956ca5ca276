"""The live index beside one pass over its memory: exact at several sizes, and approximate with its recall.

Times are CPU times of the calling thread with BLAS on one thread, medians, so that what else the machine does counts
little. The memory pass is the fastest of three reductions over the vectors that the index holds (greatest number, all
bits, sum of squares), each of which reads every byte once and writes nothing; index and reductions take turns.

Twice: as a service does that searches again and again, each time for another viewer, when the caches hold of the
vectors what they can; and swept, when before each turn so much else was read that they hold nothing of them, nor much
of the program. A service under load lies between.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from feature_service.live.approximate import Approximation
from feature_service.live.exact import ExactIndex, Rows, Vectors
from feature_service.live.index import LiveIndex, VectorIndex

CHUNK = 8192
SURFACE = 12
"""Dimensions of the world `towers`: its vectors are a random network's of so many numbers, as towers make them of what
they know of a room. In the world `isotropic` all directions are alike: nothing to learn, the worst there is."""

WORLDS = ("towers", "isotropic")

SWEPT_BYTES = 64 << 20
"""Read before each swept turn: more than the caches hold."""

QUERIES = 50
BUILD_TIMEOUT_S = 900.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured.

    Attributes:
        sizes: Numbers of rooms of the exact index.
        approximate: Numbers of rooms of the approximate index.
        width: Length of the vectors.
        k: Rooms that a search finds.
        rounds: Searches of each kind at each size.
        writes: Inserts, and removals, at each size.
        probe: Share of the cells that an approximate search visits.
        seed: Of the vectors.
    """

    sizes: tuple[int, ...] = (1_000, 10_000, 20_000, 100_000, 1_000_000)
    approximate: tuple[int, ...] = (200_000, 1_000_000)
    width: int = 64
    k: int = 500
    rounds: int = 41
    writes: int = 1_000
    probe: float = 0.1
    seed: int = 1


def measure(plan: Plan, tell: Callable[[str], None]) -> dict[str, Any]:
    """Measures the exact index at each size, then the approximate one in each world."""
    with threadpool_limits(1, user_api="blas"):
        exact: list[dict[str, Any]] = []
        for count in plan.sizes:
            tell(f"exact search among {count:,} vectors")
            exact.append(_exact(plan, count))
        approximate: list[dict[str, Any]] = []
        for count in plan.approximate:
            for world in WORLDS:
                tell(f"approximate search among {count:,} vectors, {world}")
                approximate.append(_approximate(plan, count, world))
    return {"width": plan.width, "k": plan.k, "probe": plan.probe, "exact": exact, "approximate": approximate}


def _exact(plan: Plan, count: int) -> dict[str, Any]:
    vectors, queries = _world(plan, count, "towers")
    index = ExactIndex(plan.width)
    _fill(index, np.arange(count), vectors)
    tasks = (lambda turn: index.search(queries[turn % len(queries)], plan.k), *_memory_passes(index))
    search, *passes = _alternated(plan.rounds, *tasks)
    other = np.ones(SWEPT_BYTES // 4, np.float32)
    turns = (each for task in tasks for each in (lambda _: other.max(), task))
    swept, *swept_passes = _alternated(plan.rounds, *turns)[1::2]
    insert, remove = _writes(index, count, vectors, plan.writes)

    beside, _ = _alternated(
        plan.rounds,
        lambda turn: index.search(queries[turn % len(queries)], plan.k),
        lambda _: _writes(index, count, vectors, plan.writes // 10),
    )
    return {
        "rooms": count,
        "search_us": search,
        "memory_pass_us": min(passes),
        "ratio": search / min(passes),
        "swept_search_us": swept,
        "swept_memory_pass_us": min(swept_passes),
        "search_beside_writes_us": beside,
        "insert_us": insert,
        "remove_us": remove,
    }


def _memory_passes(index: ExactIndex) -> tuple[Callable[[int], Any], ...]:
    """What reads all vectors of the index once: the greatest number, all bits, the sum of squares."""
    numbers = [block.vectors.reshape(-1) for block in index.watched()[0]]
    index.unwatch()
    words = [each.view(np.uint32) for each in numbers]
    return (
        lambda _: [each.max() for each in numbers],
        lambda _: [np.bitwise_or.reduce(each) for each in words],
        lambda _: [np.dot(each, each) for each in numbers],
    )


def _approximate(plan: Plan, count: int, world: str) -> dict[str, Any]:
    vectors, queries = _world(plan, count, world)
    rows, exact = np.arange(count), ExactIndex(plan.width)
    index = LiveIndex(plan.width, Approximation(above=count, probe=plan.probe))
    _fill(exact, rows, vectors)
    started_s = time.perf_counter()
    _fill(index, rows, vectors)
    during = _until_built(index, vectors, queries, plan)
    build_s = time.perf_counter() - started_s
    without = [_on_the_wall(exact, query, plan.k) for query in queries]
    search, exact_search = _alternated(
        plan.rounds,
        lambda turn: index.search(queries[turn % len(queries)], plan.k),
        lambda turn: exact.search(queries[turn % len(queries)], plan.k),
    )
    recall = _recall(index, exact, queries, plan.k)
    insert, remove = _writes(index, count, vectors, plan.writes)
    for each in (index, exact):
        _fill(each, rows[: count // 10], vectors[count:])
    return {
        "world": world,
        "rooms": count,
        "recall": recall,
        "recall_after_changes": _recall(index, exact, queries, plan.k),
        "search_us": search,
        "exact_search_us": exact_search,
        "insert_us": insert,
        "remove_us": remove,
        "build_s": build_s,
        "search_beside_build_us": float(np.median(during)),
        "search_without_build_us": float(np.median(without)),
    }


def _world(plan: Plan, count: int, world: str) -> tuple[Vectors, Vectors]:
    """Vectors of length 1 of the rooms, of as many more as come later, and of viewers; float32 [n, width] each."""
    generator = np.random.default_rng(plan.seed)
    shapes = ((SURFACE, 2 * plan.width), (2 * plan.width, plan.width))
    first, second = (generator.standard_normal(shape, dtype=np.float32) for shape in shapes)

    def some(number: int) -> Vectors:
        if world == "isotropic":
            vectors = generator.standard_normal((number, plan.width), dtype=np.float32)
        else:
            hidden = generator.standard_normal((number, SURFACE), dtype=np.float32) @ first
            vectors = np.maximum(hidden, 0) @ second
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    parts = [some(min(CHUNK, left)) for left in range(count + max(plan.writes, count // 10), 0, -CHUNK)]
    return np.concatenate(parts), some(QUERIES)


def _fill(index: VectorIndex, rows: Rows, vectors: Vectors) -> None:
    for start in range(0, len(rows), CHUNK):
        index.put(rows[start : start + CHUNK], vectors[start : min(start + CHUNK, len(rows))])


def _until_built(index: LiveIndex, vectors: Vectors, queries: Vectors, plan: Plan) -> list[float]:
    """Goes on with a write and a search in turns until the approximate index answers.

    Returns:
        Microseconds of each search by the clock on the wall; the last is the first approximate one.
    """
    taken_us: list[float] = []
    deadline_s = time.perf_counter() + BUILD_TIMEOUT_S
    while not index.approximates:
        if time.perf_counter() > deadline_s:
            raise RuntimeError(f"expected the approximate index within {BUILD_TIMEOUT_S:.0f} s")
        row = len(taken_us) % len(index)
        index.put(np.array([row]), vectors[row : row + 1])
        taken_us.append(_on_the_wall(index, queries[row % len(queries)], plan.k))
    return taken_us


def _on_the_wall(index: VectorIndex, query: Vectors, k: int) -> float:
    """Microseconds of a search by the clock on the wall."""
    started_ns = time.perf_counter_ns()
    index.search(query, k)
    return (time.perf_counter_ns() - started_ns) / 1000


def _recall(index: VectorIndex, exact: VectorIndex, queries: Vectors, k: int) -> float:
    """Share of the exact search's rooms that the other finds too, mean of all queries."""
    shares = [np.isin(exact.search(query, k)[0], index.search(query, k)[0]).mean() for query in queries]
    return float(np.mean(shares))


def _writes(index: VectorIndex, count: int, vectors: Vectors, number: int) -> tuple[float, float]:
    """Median microseconds of an insert and of a removal, over so many of each, one room at a time."""
    rows = range(count, count + number)
    insert = [_taken(index.put, np.array([row]), vectors[row : row + 1]) for row in rows]
    remove = [_taken(index.remove, row) for row in rows]
    return float(np.median(insert)), float(np.median(remove))


def _alternated(rounds: int, *tasks: Callable[[int], Any]) -> list[float]:
    """Median microseconds of each task; they take turns, and the first turn does not count."""
    turns = [[_taken(task, turn) for task in tasks] for turn in range(rounds + 1)]
    return np.median(turns[1:], axis=0).tolist()


def _taken(task: Callable[..., Any], *arguments: Any) -> float:
    """CPU time of this thread, microseconds."""
    started_ns = time.thread_time_ns()
    task(*arguments)
    return (time.thread_time_ns() - started_ns) / 1000
