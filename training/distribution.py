"""Distribution: several workers that train one model, each on its share of the slates of every batch.

Every worker is a process of the same command with its own TF_CONFIG, as `tf.distribute.MultiWorkerMirroredStrategy`
reads it. All read the same samples and draw the same order of slates, so a batch is the same whoever cuts it; weights
of losses are summed and gradients averaged over the workers, which makes a step that of one worker with the whole
batch, up to the order of sums. Worker 0, the chief, writes the files; all must see the folder of the run.
"""

import json
import os
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from training.data.examples import Batch, Examples

CLUSTER = "TF_CONFIG"
"""The environment variable that tells a worker of the others."""

_EXAMPLE = '{"cluster": {"worker": ["host:port", …]}, "task": {"type": "worker", "index": 0}}'

Made = TypeVar("Made")

Step = Callable[[dict[str, tf.Tensor]], Mapping[str, Any]]

_LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.FailedPreconditionError,
)


class DistributionError(ValueError):
    """A cluster that cannot train: how it is described, or that one of its workers is gone."""


@dataclass(frozen=True, slots=True)
class Workers:
    """Those who train one model together, as one of them sees it.

    Attributes:
        count: How many there are.
        index: Which one this is, from 0.
        strategy: TensorFlow's; None = there is but one.
    """

    count: int = 1
    index: int = 0
    strategy: Any = None

    @classmethod
    def of_environment(cls) -> "Workers":
        """Joins the cluster of TF_CONFIG, and waits until all of it are there; without one, a worker is alone.

        Must be called before TensorFlow does anything else.

        Raises:
            DistributionError: The description is not one of workers, or a worker has several devices.
        """
        count, index = _described(os.environ.get(CLUSTER, ""))
        if count == 1:
            return cls()
        tf.get_logger().setLevel("FATAL")  # What it says of lost workers, over and over, we say once.
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
        if strategy.num_replicas_in_sync != count:
            raise DistributionError(
                f"{CLUSTER}: expected one device a worker, as CUDA_VISIBLE_DEVICES can say, received"
                f" {strategy.num_replicas_in_sync} devices of {count} workers"
            )
        return cls(count, index, strategy)

    @property
    def is_chief(self) -> bool:
        """Whether this one writes the files."""
        return self.index == 0

    def batches(
        self, examples: Examples, batch_slates: int, order: NDArray[np.int64], first_step: int
    ) -> Iterator[Batch]:
        """This worker's share of each batch of `examples.batches`: of its slates every `count`-th.

        Workers have other steps each, as what is drawn in a step is seeded with its number. A batch of fewer slates
        than workers leaves some without: these get a slate without labels, as all must take the step.
        """
        if self.count == 1:
            yield from examples.batches(batch_slates, order, first_step)
            return
        for place, start in enumerate(range(0, len(order), batch_slates)):
            whole, step = order[start : start + batch_slates], (first_step + place) * self.count + self.index
            if len(mine := whole[self.index :: self.count]):
                yield examples.batch(mine, step)
            else:
                batch = examples.batch(whole[:1], step)
                yield batch | {"mask": np.zeros_like(batch["mask"])}

    def scope(self) -> AbstractContextManager[Any]:
        """Variables that are made within are alike on all workers, and stay so."""
        return nullcontext() if self.strategy is None else self.strategy.scope()

    def as_one(self, function: Callable[..., Made], *arguments: Any) -> Made:
        """Calls a function as each worker's own part, where metrics may be updated."""
        return function(*arguments) if self.strategy is None else self.strategy.run(function, arguments)

    @contextmanager
    def folder(self, directory: Path) -> Generator[Path]:
        """Where this worker writes: the directory if it is the chief, else a folder that is thrown away.

        To write a checkpoint takes all workers, as each has a part of the metrics.
        """
        if self.is_chief:
            yield directory
            return
        with TemporaryDirectory() as elsewhere:
            yield Path(elsewhere)

    @contextmanager
    def together(self) -> Generator[None]:
        """Says it plainly if another worker is lost meanwhile.

        Raises:
            DistributionError: A worker is gone.
        """
        try:
            yield
        except _LOST as error:
            raise DistributionError(
                f"workers: expected all {self.count} until the end, lost one of them; the same command for each goes on"
                " from the last epoch"
            ) from error

    def function(self, step: Step, specs: Mapping[str, tf.TensorSpec]) -> Step:
        """A step as a graph that takes this worker's share of a batch; `loss` is the mean over all workers."""
        strategy = self.strategy
        if strategy is None:
            return tf.function(step, input_signature=[specs])

        def distributed(batch: dict[str, tf.Tensor]) -> dict[str, Any]:
            found = strategy.run(step, (batch,))
            return {**found, "loss": strategy.reduce(tf.distribute.ReduceOp.MEAN, found["loss"], axis=None)}

        return tf.function(distributed, input_signature=[specs])

    def meet(self) -> None:
        """Waits until all workers are here."""
        if self.strategy is not None:
            self.strategy.reduce(tf.distribute.ReduceOp.SUM, tf.ones(()), axis=None)


ALONE = Workers()


def mean_over_workers(values: Any) -> Any:
    """The mean over all workers of each tensor or `tf.IndexedSlices` of a structure, within a step; None stays None."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return values
    flat = tf.nest.flatten(values)
    means = iter(context.all_reduce(tf.distribute.ReduceOp.MEAN, [each for each in flat if each is not None]))
    return tf.nest.pack_sequence_as(values, [None if each is None else next(means) for each in flat])


def gathered(ids: tf.Tensor) -> tf.Tensor:
    """The ids of all workers one after the other, int64 [n], within a step.

    TensorFlow gathers no rows of unknown number in a step, except those of a table's gradient: so ids go as such.
    """
    no_values, shape = tf.zeros(tf.stack([tf.size(ids), 1])), tf.constant([tf.int64.max, 1], tf.int64)
    return mean_over_workers(tf.IndexedSlices(no_values, ids, dense_shape=shape)).indices


def _described(text: str) -> tuple[int, int]:
    """How many workers TF_CONFIG describes, and which one this is; (1, 0) where it is empty.

    Raises:
        DistributionError: It describes something else.
    """
    if not text:
        return 1, 0
    try:
        table = json.loads(text)
        cluster, task = table["cluster"], table["task"]
        kind, index = str(task["type"]), int(task["index"])
        addresses = list(cluster["worker"])
    except (ValueError, KeyError, TypeError):
        raise DistributionError(f"{CLUSTER}: expected {_EXAMPLE}, received {text!r}") from None
    if set(cluster) != {"worker"} or kind != "worker":
        raise DistributionError(f"{CLUSTER}: expected workers alone, received a {kind} of {sorted(cluster)}")
    if not 0 <= index < len(addresses):
        raise DistributionError(f"{CLUSTER}: expected an index below {len(addresses)}, received {index}")
    return len(addresses), index
