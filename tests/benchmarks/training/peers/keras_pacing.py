"""How trainers that are Keras models take turns: a callback."""

import tf_keras as keras

from tests.benchmarks.training.arrays import Task
from tests.benchmarks.training.pacing import Pacer


class Paced(keras.callbacks.Callback):
    """Tells the pacer of every batch."""

    def __init__(self, task: Task) -> None:
        """Takes the task."""
        super().__init__()
        self._pacer = Pacer(task)

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:
        """One more batch."""
        self._pacer.batch_done()
