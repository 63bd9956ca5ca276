"""DeepCTR: its own models and its own `fit`, without the penalty on embeddings that it adds unless told not to.

TF_USE_LEGACY_KERAS=1 python -m tests.benchmarks.training.peers.deepctr FOLDER
"""

# pyright: reportMissingImports=false
import sys
from pathlib import Path
from typing import Any

import tensorflow as tf
from deepctr.feature_column import DenseFeat, SparseFeat, VarLenSparseFeat, get_feature_names
from deepctr.models import DIN, MMOE, DeepFM

from tests.benchmarks.training.arrays import EPOCHS, THREADS, Arrays, Task, read
from tests.benchmarks.training.peers.keras_pacing import Paced


def main(folder: Path) -> None:
    """Trains the folder's task in blocks."""
    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    tf.config.threading.set_inter_op_parallelism_threads(THREADS)
    task, arrays = read(folder)
    columns = columns_of(task)
    model = model_of(task, columns)
    losses = ["binary_crossentropy"] * task.tasks
    labels = [arrays["labels"][:, place] for place in range(task.tasks)]
    if task.model == "mmoe":
        losses[-1] = "mse"
    model.compile("adam", losses)
    inputs = {name: inputs_of(task, arrays)[name] for name in get_feature_names(columns)}
    model.fit(inputs, labels, batch_size=task.batch, epochs=EPOCHS, verbose=0, callbacks=[Paced(task)])


def columns_of(task: Task) -> list[Any]:
    """The features as DeepCTR declares them."""
    sparse = [SparseFeat(f"c{place}", task.vocabulary, embedding_dim=task.embedding) for place in range(task.sparse)]
    columns = [*sparse, *(DenseFeat(f"f{place}", 1) for place in range(task.dense))]
    if task.length:
        name = sparse[-1].name
        history = SparseFeat(f"hist_{name}", task.vocabulary, embedding_dim=task.embedding, embedding_name=name)
        columns.append(VarLenSparseFeat(history, maxlen=task.length, length_name="real"))
    return columns


def inputs_of(task: Task, arrays: Arrays) -> Arrays:
    """The arrays by the names of the features."""
    inputs = {f"c{place}": arrays["ids"][:, place] for place in range(task.sparse)}
    inputs |= {f"f{place}": arrays["floats"][:, place] for place in range(task.dense)}
    if task.length:
        inputs |= {f"hist_c{task.sparse - 1}": arrays["steps"], "real": (arrays["steps"] > 0).sum(axis=1)}
    return inputs


def model_of(task: Task, columns: list[Any]) -> Any:
    """The model of the task's sizes."""
    if task.model == "deepfm":
        return DeepFM(columns, columns, dnn_hidden_units=task.layers, l2_reg_linear=0, l2_reg_embedding=0)
    if task.model == "din":
        history = [f"c{task.sparse - 1}"]
        units = {"dnn_hidden_units": task.layers, "att_hidden_size": task.attention}
        return DIN(columns, history, **units, l2_reg_embedding=0)
    return MMOE(
        columns,
        num_experts=task.experts,
        expert_dnn_hidden_units=task.layers,
        tower_dnn_hidden_units=task.tower,
        gate_dnn_hidden_units=(),
        l2_reg_embedding=0,
        task_types=["binary"] * (task.tasks - 1) + ["regression"],
        task_names=[f"t{place}" for place in range(task.tasks)],
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
