"""LibRecommender: its own models and its own `fit`. There is no MMoE, and two things are not quite the task's.

Its DeepFM makes a vector of each number too, so that its tower reads more. Its DIN has an attention of its own shape,
over the history that it keeps of a user; here each user keeps one as long as the task's.

    python -m tests.benchmarks.training.peers.librecommender FOLDER
"""

# pyright: reportMissingImports=false
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from libreco.algorithms import DIN, DeepFM
from libreco.data import DatasetFeat

from tests.benchmarks.training.arrays import EPOCHS, THREADS, Arrays, Task, read
from tests.benchmarks.training.pacing import Pacer

ROWS_A_SAMPLE = 2
"""Half of a batch is left free for drawn negatives, even where none are drawn: so twice the rows are asked for."""

SESSION = {"intra_op_parallelism_threads": THREADS, "inter_op_parallelism_threads": THREADS}


def main(folder: Path) -> None:
    """Trains the folder's task in blocks."""
    task, arrays = read(folder)
    rows, about = data_of(task, arrays)
    net = {"embed_size": task.embedding, "hidden_units": task.layers, "use_bn": False}
    loop = {"n_epochs": EPOCHS, "batch_size": ROWS_A_SAMPLE * task.batch, "lr": 1e-3, "tf_sess_config": SESSION}
    if task.model == "din":
        model = DIN("ranking", about, **net, **loop, recent_num=task.length)
    else:
        model = DeepFM("ranking", about, **net, **loop)
    pacer, run = Pacer(task), model.sess.run

    def paced_run(fetches: Any, feed_dict: Any = None) -> Any:
        found = run(fetches, feed_dict)
        if feed_dict:
            pacer.batch_done()
        return found

    model.sess.run = paced_run
    model.fit(rows, neg_sampling=False, verbose=0, shuffle=True)


def data_of(task: Task, arrays: Arrays) -> tuple[Any, Any]:
    """The arrays as LibRecommender takes them; the first and the last id feature are the user and the item."""
    last = task.sparse - 1
    table = pd.DataFrame({"user": arrays["ids"][:, 0], "item": arrays["ids"][:, last], "label": arrays["labels"][:, 0]})
    sparse, dense = [f"c{place}" for place in range(1, last)], [f"f{place}" for place in range(task.dense)]
    table = pd.concat(
        [
            table,
            pd.DataFrame(arrays["ids"][:, 1:last], columns=sparse),
            pd.DataFrame(arrays["floats"], columns=dense),
        ],
        axis=1,
    )
    columns = {"user_col": sparse + dense, "item_col": [], "sparse_col": sparse, "dense_col": dense} if sparse else {}
    rows, about = DatasetFeat.build_trainset(table, **columns)
    if task.length:
        for user, met in about.user_consumed.items():  # A history is what came before the item that is asked for.
            first = np.flatnonzero(rows.user_indices == user)[0]
            about.user_consumed[user] = [*(arrays["steps"][first] % about.n_items).tolist(), *met]
    return rows, about


if __name__ == "__main__":
    main(Path(sys.argv[1]))
