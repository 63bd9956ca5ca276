"""Turns: one trainer of the benchmark at a time, block by block, in pairs of ours and a peer."""

import json
import math
import os
import select
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

import numpy as np

from tests.benchmarks.training.arrays import THREADS, Task
from tests.benchmarks.training.pacing import GO

START_TIMEOUT_S = 600.0
BLOCK_TIMEOUT_S = 600.0

OURS = "ours"
_FOLDER = "tests.benchmarks.training"
_MODULES = MappingProxyType(
    {
        OURS: ("", f"{_FOLDER}.ours"),
        "deepctr": ("deepctr", f"{_FOLDER}.peers.deepctr"),
        "deepctr_torch": ("deepctr_torch", f"{_FOLDER}.peers.deepctr_torch"),
        "librecommender": ("librecommender", f"{_FOLDER}.peers.librecommender"),
        "tf-keras, fused": ("deepctr", f"{_FOLDER}.peers.fused"),
    }
)
"""Environment (none = this one) and module of each trainer."""

PEERS = tuple(name for name in _MODULES if name != OURS)
"""Those beside ours."""

_LEGACY = ("deepctr", "tf-keras, fused")


class TrainerError(RuntimeError):
    """A trainer is not there, or did not go on; with the end of what it said."""


def peers_of(task: Task) -> tuple[str, ...]:
    """Which peers have the task's model."""
    return tuple(name for name in PEERS if (name, task.model) != ("librecommender", "mmoe"))


def interpreter(name: str, environments: Path) -> Path:
    """The Python of a trainer.

    Raises:
        TrainerError: Its environment is not there.
    """
    environment, _ = _MODULES[name]
    if not environment:
        return Path(sys.executable)
    python = environments / environment / "bin" / "python"
    if not python.exists():
        raise TrainerError(f"{name}: expected its environment's {python}, received none; `make bench-train` makes it")
    return python


class Trainer:
    """The process of a trainer, which waits unless it was told to train a block."""

    def __init__(self, name: str, folder: Path, environments: Path) -> None:
        """Starts it on the folder of a task, and waits until its first block may begin.

        Raises:
            TrainerError: It did not get there.
        """
        self.name = name
        self._log = folder / f"{name}.log"
        environment = {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}
        # Two of the peers ask for a newer version of themselves when they are imported; nobody answers.
        environment |= {"https_proxy": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9"}
        environment |= {"OMP_NUM_THREADS": str(THREADS), "TF_CPP_MIN_LOG_LEVEL": "2"}
        environment |= {"TF_USE_LEGACY_KERAS": "1"} if name in _LEGACY else {}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [interpreter(name, environments), "-m", _MODULES[name][1], folder],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                text=True,
                bufsize=1,
            )
        self._answer(START_TIMEOUT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.communicate()

    def block_s(self) -> float:
        """Seconds of a block.

        Raises:
            TrainerError: It ended, or took too long.
        """
        assert self._process.stdin
        self._process.stdin.write(GO)
        self._process.stdin.flush()
        return self._answer(BLOCK_TIMEOUT_S)

    def _answer(self, timeout_s: float) -> Any:
        """What the next line of JSON tells; what else its libraries print is passed over."""
        assert self._process.stdout
        line = ""
        while not line.startswith("{"):
            ready, _, _ = select.select([self._process.stdout], [], [], timeout_s)
            line = self._process.stdout.readline() if ready else ""
            if not line:
                said = self._log.read_text(encoding="utf-8", errors="replace")[-1000:]
                raise TrainerError(f"{self.name}: expected a block within {timeout_s:.0f} s, received: {said}")
        return json.loads(line)["seconds"]


def measure(
    task: Task,
    folder: Path,
    environments: Path,
    *,
    rounds: int,
    peers: Sequence[str],
    tell: Callable[[str], None],
) -> list[dict[str, Any]]:
    """Ours beside each peer on the arrays of a folder, a row a peer.

    All processes are started first, one after the other, each with a block that does not count.
    """
    rows = task.batch * task.batches
    with ExitStack() as stack:
        trainers: dict[str, Trainer] = {}
        for name in (OURS, *peers):
            tell(f"{task.model}: start of {name}")
            trainers[name] = stack.enter_context(Trainer(name, folder, environments))
            trainers[name].block_s()
        pairs: dict[str, list[tuple[float, float]]] = {name: [] for name in peers}
        for turn in range(rounds):
            tell(f"{task.model}: pairs {turn + 1} of {rounds}")
            for name in peers:
                order = (OURS, name) if turn % 2 else (name, OURS)
                taken = {each: trainers[each].block_s() for each in order}
                pairs[name].append((rows / taken[OURS], rows / taken[name]))
    return [_row(name, np.array(found)) for name, found in pairs.items()]


def _row(name: str, pairs: np.ndarray) -> dict[str, Any]:
    """Rows/s of ours and the peer [pairs, 2] as medians, ranges, and the ratio with its interval."""
    ratios = pairs[:, 0] / pairs[:, 1]
    low, high = interval(ratios.tolist())
    return {
        "peer": name,
        "rows_per_s": float(np.median(pairs[:, 1])),
        "least_rows_per_s": float(pairs[:, 1].min()),
        "most_rows_per_s": float(pairs[:, 1].max()),
        "ours_rows_per_s": float(np.median(pairs[:, 0])),
        "ours_least_rows_per_s": float(pairs[:, 0].min()),
        "ours_most_rows_per_s": float(pairs[:, 0].max()),
        "ratio": float(np.median(ratios)),
        "ratio_low": low,
        "ratio_high": high,
        "verdict": "ahead" if low > 1 else "behind" if high < 1 else "level",
    }


def interval(values: Sequence[float]) -> tuple[float, float]:
    """An interval that holds the median of what was drawn from with at least 95 % where there are six values or more.

    From the k-th smallest to the k-th greatest, the largest k for which both tails of Binomial(n, ½) below k hold at
    most 5 %, whatever the law of the values; of fewer values, from the least to the greatest.
    """
    ranked, count = sorted(values), len(values)
    tail = np.cumsum([math.comb(count, k) for k in range(count)]) / 2**count
    below = max(int(np.sum(tail <= 0.025)) - 1, 0)
    return ranked[below], ranked[count - 1 - below]


def lines(tasks: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    """A table for people."""
    head = f"{'':8}{'peer':>18}{'rows/s':>9}{'range':>19}{'ours':>9}{'range':>19}{'ours/peer':>11}{'interval':>15}"
    found = [head]
    for name, peers in tasks.items():
        for each in peers:
            theirs = f"[{each['least_rows_per_s']:,.0f}, {each['most_rows_per_s']:,.0f}]"
            ours = f"[{each['ours_least_rows_per_s']:,.0f}, {each['ours_most_rows_per_s']:,.0f}]"
            found.append(
                f"{name:8}{each['peer']:>18}{each['rows_per_s']:9,.0f}{theirs:>19}{each['ours_rows_per_s']:9,.0f}"
                f"{ours:>19}{each['ratio']:11.2f}   [{each['ratio_low']:.2f}, {each['ratio_high']:.2f}] "
                f"{each['verdict']}"
            )
    return found
