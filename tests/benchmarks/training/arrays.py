"""The arrays that every trainer of the benchmark learns from: made once by seed, kept as .npy files, read by all alike.

NumPy alone, since the peers' environments import this file too.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

THREADS = 2
"""Of every trainer."""

EPOCHS = 1_000_000
"""More than anyone waits for: the pacer ends a trainer."""

Arrays = dict[str, NDArray[Any]]
"""`ids` int64 [rows, sparse], from 1; `floats` float32 [rows, dense]; `labels` float32 [rows, tasks], 0 or 1; of a task
with histories `steps` int64 [rows, length], from 1, with padding 0 behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A net and what it reads; the same for everyone.

    Attributes:
        model: "deepfm", "mmoe" or "din".
        sparse: Id features.
        dense: Numbers.
        length: Steps of the history of the last id feature; 0 = there is none.
        real: The least and the most real steps of a history; uniform between.
        tasks: Outputs. All have binary labels; of eight, the last is predicted as a number.
        vocabulary: Values an id feature, the padding 0 included.
        embedding: Numbers a vector.
        layers: Units of the tower, or of each expert.
        attention: Units of the attention's layers.
        experts: How many.
        tower: Units of each output's own tower.
        batch: Rows a batch.
        batches: Batches of a block, which is timed as one.
        blocks: Blocks an epoch.
    """

    model: str
    sparse: int
    dense: int = 0
    length: int = 0
    real: tuple[int, int] = (0, 0)
    tasks: int = 1
    vocabulary: int = 10_000
    embedding: int = 16
    layers: tuple[int, ...]
    attention: tuple[int, ...] = ()
    experts: int = 0
    tower: tuple[int, ...] = ()
    batch: int = 4096
    batches: int = 8
    blocks: int = 3

    @property
    def rows(self) -> int:
        """Rows an epoch: its blocks, and one batch before the first."""
        return self.batch * (self.blocks * self.batches + 1)


def write(folder: Path, task: Task, seed: int) -> None:
    """Draws the arrays of a task and keeps them with it in a folder."""
    generator = np.random.default_rng(seed)
    arrays: Arrays = {
        "ids": generator.integers(1, task.vocabulary, size=(task.rows, task.sparse)),
        "floats": generator.random((task.rows, task.dense), np.float32),
        "labels": generator.integers(2, size=(task.rows, task.tasks)).astype(np.float32),
    }
    if task.length:
        steps = generator.integers(1, task.vocabulary, size=(task.rows, task.length))
        first, last = task.real
        real = generator.integers(first, last + 1, size=(task.rows, 1))
        arrays["steps"] = np.where(np.arange(task.length) < real, steps, 0)
    for name, values in arrays.items():
        np.save(folder / f"{name}.npy", values)
    (folder / "task.json").write_text(json.dumps(asdict(task)), encoding="utf-8")


def read(folder: Path) -> tuple[Task, Arrays]:
    """The task of a folder and its arrays, in memory."""
    table = json.loads((folder / "task.json").read_text(encoding="utf-8"))
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
    return Task(**values), {path.stem: np.load(path) for path in sorted(folder.glob("*.npy"))}
