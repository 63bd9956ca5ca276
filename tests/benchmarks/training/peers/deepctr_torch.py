"""DeepCTR-torch: its own models and its own `fit`, without the penalty on embeddings that it adds unless told not to.

python -m tests.benchmarks.training.peers.deepctr_torch FOLDER
"""

# pyright: reportMissingImports=false
import sys
from pathlib import Path
from typing import Any

import torch
from deepctr_torch.inputs import DenseFeat, SparseFeat, VarLenSparseFeat
from deepctr_torch.models import DIN, DeepFM
from deepctr_torch.models.multitask import MMOE

from tests.benchmarks.training.arrays import EPOCHS, THREADS, Arrays, Task, read
from tests.benchmarks.training.pacing import Pacer


def main(folder: Path) -> None:
    """Trains the folder's task in blocks."""
    torch.set_num_threads(THREADS)
    task, arrays = read(folder)
    model = model_of(task, columns_of(task))
    losses: Any = "binary_crossentropy"
    if task.model == "mmoe":
        losses = ["binary_crossentropy"] * (task.tasks - 1) + ["mse"]
    model.compile("adam", losses)
    pacer, step = Pacer(task), model.optim.step

    def paced_step() -> None:
        step()
        pacer.batch_done()

    model.optim.step = paced_step
    model.fit(inputs_of(task, arrays), arrays["labels"], batch_size=task.batch, epochs=EPOCHS, verbose=0)


def columns_of(task: Task) -> list[Any]:
    """The features as DeepCTR-torch declares them."""
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
        units = {"dnn_hidden_units": task.layers, "att_hidden_size": task.attention}
        return DIN(columns, [f"c{task.sparse - 1}"], **units, l2_reg_embedding=0)
    return MMOE(
        columns,
        num_experts=task.experts,
        expert_dnn_hidden_units=task.layers,
        tower_dnn_hidden_units=task.tower,
        gate_dnn_hidden_units=(),
        l2_reg_linear=0,
        l2_reg_embedding=0,
        task_types=["binary"] * (task.tasks - 1) + ["regression"],
        task_names=[f"t{place}" for place in range(task.tasks)],
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
