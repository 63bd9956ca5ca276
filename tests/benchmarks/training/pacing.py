"""Pacing: a trainer goes on block by block, when it is told to, so that trainers can take turns.

The trainer calls `Pacer.batch_done` after every batch. A block is so many batches of an uninterrupted epoch; making the
model, the first batch of an epoch, what comes between epochs, and waiting for the others are no part of any block.
"""

import json
import sys
import time

from tests.benchmarks.training.arrays import Task

GO = "go\n"


class Pacer:
    """Times the blocks of one trainer, and tells the seconds of each on the standard output, a line of JSON a block.

    The first line, when the first block may begin, tells null.
    """

    def __init__(self, task: Task) -> None:
        """Takes how many batches a block, and blocks an epoch, has."""
        self._batches = task.batches
        self._last = task.batches * task.blocks + 1
        self._started_s: float | None = None
        self._taken_s: float | None = None
        self._done = 0

    def batch_done(self) -> None:
        """One more batch has been learnt from.

        Raises:
            SystemExit: There is nobody any more who says go on.
        """
        now_s = time.perf_counter()
        self._done += 1
        if (self._done - 1) % self._batches:
            return
        if self._started_s is not None:
            self._taken_s = now_s - self._started_s
        if self._done == self._last:  # The answer waits for the next epoch's beginning: it belongs to nobody's block.
            self._started_s, self._done = None, 0
            return
        sys.stdout.write(json.dumps({"seconds": self._taken_s}) + "\n")
        sys.stdout.flush()
        if sys.stdin.readline() != GO:
            raise SystemExit(0)
        self._started_s = time.perf_counter()
