"""Our own trainer: `training.train.train` on a plain table, every row a slate of one candidate.

python -m tests.benchmarks.training.ours FOLDER
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf

from feature_service.features.layout import (
    CANDIDATE_FLOATS,
    CANDIDATE_IDS,
    DTYPES,
    HISTORY_IDS,
    USER_IDS,
    Column,
    Layout,
    TensorLayout,
)
from feature_service.features.schema import Encoding, key_of
from tests.benchmarks.training.arrays import EPOCHS, THREADS, Arrays, Task, read
from tests.benchmarks.training.pacing import Pacer
from training.data.samples import Candidates, Samples, Slates
from training.heads import HEAD_NAMES, HEADS
from training.layers.fitted import Encodings
from training.run_config import RunConfig, parse_config
from training.train import train


def main(folder: Path) -> None:
    """Trains the folder's task in blocks."""
    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    tf.config.threading.set_inter_op_parallelism_threads(THREADS)
    task, arrays = read(folder)
    samples, encodings = samples_of(task, arrays), encodings_of(task)
    pacer = Pacer(task)

    def on_progress(progress: object) -> None:
        if getattr(progress, "validation_loss", None) is None:
            pacer.batch_done()

    with tempfile.TemporaryDirectory(prefix="onair-bench-train-") as run:
        one = samples.of_slates(np.arange(task.rows) == 0)
        train(config_of(task), samples, one, Path(run), encodings=encodings, on_progress=on_progress)


def heads_of(task: Task) -> tuple[str, ...]:
    """As many heads as the task has outputs, those with a binary label first, in the order of `HEADS`."""
    first = sorted(HEAD_NAMES, key=lambda name: not HEADS[name].binary)[: task.tasks]
    return tuple(name for name in HEAD_NAMES if name in first)


def config_of(task: Task) -> RunConfig:
    """Our net of the task's sizes."""
    options = {
        "deepfm": {"tower": task.layers},
        "mmoe": {"experts": task.experts, "expert": task.layers, "tower": task.tower, "match": 1},
        "din": {"size": task.embedding, "unit": task.attention, "tower": task.layers, "match": 1},
    }
    return parse_config(
        {
            "model": task.model,
            "features": {"user": ["*"], "candidate": ["*"]},
            "heads": dict.fromkeys(heads_of(task), 1.0),
            "inputs": {"embedding": task.embedding, "min_count": 1, "unseen_rows": 1},
            "options": options[task.model],
            "training": {"batch_slates": task.batch, "epochs": EPOCHS, "patience": EPOCHS},
        },
        "the benchmark's own",
    )


def encodings_of(task: Task) -> Encodings:
    """How our net takes each column in; a history has the vocabulary of the last id feature."""
    encodings: dict[str, tuple[Encoding, str]] = {
        f"c{place}": (Encoding.ID, f"c{place}") for place in range(task.sparse)
    }
    encodings |= {f"f{place}": (Encoding.LINEAR, "") for place in range(task.dense)}
    return encodings | {"steps": (Encoding.ID, f"c{task.sparse - 1}")}


def samples_of(task: Task, arrays: Arrays) -> Samples:
    """The arrays as samples: the first half of the id features is the viewer's, the rest the candidate's."""
    half = task.sparse // 2
    keys = keys_of(task)
    ids = np.stack([keys[place][arrays["ids"][:, place]] for place in range(task.sparse)], axis=1)
    user, candidate = {USER_IDS: ids[:, :half]}, {CANDIDATE_IDS: ids[:, half:]}
    names = {USER_IDS: [f"c{place}" for place in range(half)]}
    names[CANDIDATE_IDS] = [f"c{place}" for place in range(half, task.sparse)]
    if task.dense:
        candidate[CANDIDATE_FLOATS] = arrays["floats"]
        names[CANDIDATE_FLOATS] = [f"f{place}" for place in range(task.dense)]
    if task.length:
        steps = arrays["steps"]
        user[HISTORY_IDS] = np.where(steps > 0, keys[-1][steps], 0)[:, :, np.newaxis]
        names[HISTORY_IDS] = ["steps"]
    columns = {
        tensor: tuple(Column(name, 1, DTYPES[tensor], 1, task.length if tensor == HISTORY_IDS else 0) for name in found)
        for tensor, found in names.items()
    }
    layout = Layout(tuple(TensorLayout(name, columns[name]) for name in DTYPES if name in columns), heads_of(task))
    rows = np.arange(task.rows)
    labels = np.zeros((task.rows, len(HEAD_NAMES)), np.float32)
    mask = np.zeros(labels.shape, np.bool_)
    for place, head in enumerate(layout.heads):
        labels[:, HEAD_NAMES.index(head)] = arrays["labels"][:, place]
        mask[:, HEAD_NAMES.index(head)] = True
    candidates = Candidates(
        tensors=candidate,
        slate=rows.astype(np.int32),
        room=rows,
        streamer=rows,
        position=np.full(task.rows, -1, np.int16),
        propensity=np.zeros(task.rows, np.float32),
        sampled=np.zeros(task.rows, np.bool_),
        censored=np.zeros(task.rows, np.bool_),
        labels=labels,
        mask=mask,
    )
    return Samples(layout, Slates(user, rows, rows), candidates)


def keys_of(task: Task) -> list[np.ndarray]:
    """Our key of each value of each id feature, int64 [vocabulary] a feature."""
    return [
        np.array([key_of(f"c{place}", str(value)) for value in range(task.vocabulary)], np.int64)
        for place in range(task.sparse)
    ]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
