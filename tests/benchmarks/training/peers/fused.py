"""Plain tf-keras, as one would write it for speed: one table for all id features, and batches that are cut beforehand.

TF_USE_LEGACY_KERAS=1 python -m tests.benchmarks.training.peers.fused FOLDER
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

from tests.benchmarks.training.arrays import EPOCHS, THREADS, Task, read
from tests.benchmarks.training.peers.keras_pacing import Paced

layers = keras.layers


def main(folder: Path) -> None:
    """Trains the folder's task in blocks."""
    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    tf.config.threading.set_inter_op_parallelism_threads(THREADS)
    task, arrays = read(folder)
    model: Any = {"deepfm": deepfm, "mmoe": mmoe, "din": din}[task.model](task)
    losses = ["binary_crossentropy"] * task.tasks
    if task.model == "mmoe":
        losses[-1] = "mse"
    model.compile("adam", losses)
    arrays["ids"] += np.arange(task.sparse) * task.vocabulary
    if task.length:
        steps = arrays["steps"]
        arrays["steps"] = np.where(steps > 0, steps + (task.sparse - 1) * task.vocabulary, 0)
    read_by_model = [each.name for each in model.inputs]
    inputs = {name: batched(task, arrays[name]) for name in read_by_model}
    labels: Any = tuple(batched(task, arrays["labels"][:, place]) for place in range(task.tasks))
    together: Any = (inputs, labels)
    batches = tf.data.Dataset.from_tensor_slices(together).prefetch(2)
    model.fit(batches, epochs=EPOCHS, verbose=0, callbacks=[Paced(task)])


def batched(task: Task, values: np.ndarray) -> np.ndarray:
    """[rows, ...] → [batches, rows a batch, ...]."""
    return values.reshape(-1, task.batch, *values.shape[1:])


def tower(units: tuple[int, ...], rows: Any) -> Any:
    """Dense layers with ReLU."""
    for size in units:
        rows = layers.Dense(size, "relu")(rows)
    return rows


def table(task: Task, size: int) -> Any:
    """One table for all features."""
    return layers.Embedding(task.sparse * task.vocabulary, size)


def deepfm(task: Task) -> keras.Model:
    """Guo et al. (IJCAI 2017): linear part, products of pairs, tower."""
    ids, floats = keras.Input([task.sparse], dtype="int64", name="ids"), keras.Input([task.dense], name="floats")
    vectors = table(task, task.embedding)(ids)
    linear = tf.reduce_sum(table(task, 1)(ids), axis=1) + layers.Dense(1)(floats)
    pairs = tf.reduce_sum(vectors, axis=1) ** 2 - tf.reduce_sum(vectors**2, axis=1)
    deep = tower(task.layers, tf.concat([layers.Flatten()(vectors), floats], axis=-1))
    logit = linear + 0.5 * tf.reduce_sum(pairs, axis=-1, keepdims=True) + layers.Dense(1, use_bias=False)(deep)
    return keras.Model({"ids": ids, "floats": floats}, tf.sigmoid(logit))


def mmoe(task: Task) -> keras.Model:
    """Ma et al. (KDD 2018): gates over shared experts."""
    ids = keras.Input([task.sparse], dtype="int64", name="ids")
    rows = layers.Flatten()(table(task, task.embedding)(ids))
    opinions = tf.stack([tower(task.layers, rows) for _ in range(task.experts)], axis=1)
    gates = layers.Reshape([task.tasks, task.experts])(layers.Dense(task.tasks * task.experts)(rows))
    mixed = tf.unstack(tf.matmul(tf.nn.softmax(gates), opinions), axis=1)
    kinds = ["sigmoid"] * (task.tasks - 1) + [None]
    outputs = [layers.Dense(1, kind)(tower(task.tower, each)) for each, kind in zip(mixed, kinds, strict=True)]
    return keras.Model({"ids": ids}, outputs)


class Dice(layers.Layer):
    """Zhou et al. (KDD 2018), equation 9."""

    def build(self, shape: Any) -> None:
        """Makes the variables for [..., units]."""
        self.alpha = self.add_weight("alpha", shape[-1:], initializer="zeros")
        self.normal = layers.BatchNormalization(center=False, scale=False)

    def call(self, values: Any) -> Any:
        """The same shape."""
        gate = tf.sigmoid(self.normal(values))
        return gate * values + (1.0 - gate) * self.alpha * values


def din(task: Task) -> keras.Model:
    """Zhou et al. (KDD 2018): a unit that weighs each step by the candidate."""
    ids = keras.Input([task.sparse], dtype="int64", name="ids")
    steps = keras.Input([task.length], dtype="int64", name="steps")
    lookup = table(task, task.embedding)
    vectors, keys = lookup(ids), lookup(steps)
    query = tf.repeat(vectors[:, -1:], task.length, axis=1)
    hidden = tf.concat([query, keys, query - keys, query * keys], axis=-1)
    for size in task.attention:
        hidden = Dice()(layers.Dense(size)(hidden))
    weights = layers.Dense(1)(hidden) * tf.cast(steps != 0, tf.float32)[:, :, tf.newaxis]
    interest = tf.reduce_sum(weights * keys, axis=1)
    rows = tower(task.layers, tf.concat([layers.Flatten()(vectors), interest], axis=-1))
    return keras.Model({"ids": ids, "steps": steps}, layers.Dense(1, "sigmoid")(rows))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
