"""Builds an approximate index beside the exact one, in a thread, while rooms come and go."""

import threading
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import Future

import numpy as np

from feature_service.live.approximate import ApproximateIndex
from feature_service.live.exact import Block, ExactIndex

CHUNK = 8192
"""Vectors that are added in one call."""

THREAD_NAME = "index build"


class Build:
    """An approximate index in the making.

    The thread reads the exact index's memory while that changes. Whatever it may have read wrongly is among the rows
    that changed since, and these are put right afterwards, on the thread that owns the exact index.
    """

    def __init__(self, exact: ExactIndex, probe: float) -> None:
        """Starts.

        Args:
            exact: Holds at least one room; follows one build at a time.
            probe: Share of the cells that a search visits.
        """
        blocks, self._changed = exact.watched()
        self._exact = exact
        self._made: Future[ApproximateIndex] = Future()
        held = weakref.ref(exact)

        def wanted() -> bool:
            return held() is not None and threading.main_thread().is_alive()

        threading.Thread(target=_run, args=(self._made, blocks, probe, wanted), name=THREAD_NAME).start()

    def caught_up(self, most: int) -> ApproximateIndex | None:
        """Repeats some of the changes since the start, when the thread is done.

        Args:
            most: At most so many rooms.

        Returns:
            The index once it holds what the exact one holds; until then None.

        Raises:
            Exception: What ended the thread.
        """
        if not self._made.done():
            return None
        try:
            index = self._made.result()
        except BaseException:
            self._exact.unwatch()
            raise
        rows = np.array([self._changed.pop() for _ in range(min(most, len(self._changed)))], np.intp)
        index.remove_all(rows)
        held = np.array([row for row in rows.tolist() if row in self._exact], np.intp)
        index.put(held, self._exact.vectors_of(held))
        if self._changed:
            return None
        self._exact.unwatch()
        return index


def _run(made: "Future[ApproximateIndex]", blocks: Sequence[Block], probe: float, wanted: Callable[[], bool]) -> None:
    try:
        made.set_result(_built(blocks, probe, wanted))
    except BaseException as error:
        made.set_exception(error)


def _built(blocks: Sequence[Block], probe: float, wanted: Callable[[], bool]) -> ApproximateIndex:
    index = ApproximateIndex(blocks, probe)
    for block in blocks:
        for start in range(0, len(block.rows), CHUNK):
            if not wanted():
                raise RuntimeError("nobody wants the index any more")
            index.put(block.rows[start : start + CHUNK], block.vectors[start : start + CHUNK])
    return index
