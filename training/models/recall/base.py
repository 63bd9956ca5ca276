"""What all recall models share: how one is fitted, and what it offers to those who score and serve it.

A recall model speaks through its signatures alone, by one of three forms:

* *vectors*: `user` (user and history tensors → `vector` float32 [1, D]) and `room` (candidate tensors → `vector`
  float32 [N, D]); their product ranks the rooms;
* *neighbours*: `serving_default` (history tensors → `streamer` int64 [1, M], best first, 0 behind; `score` float32
  [1, M]), and whatever else it tells of them;
* *pairs*: `serving_default` (user and candidate tensors → `score` float32 [N]).

All of them take B viewers in place of one where no candidate tensor is read.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf
import tensorflow_recommenders as tfrs
from numpy.typing import NDArray

from feature_service.features.layout import CANDIDATE_IDS, USER_IDS, Layout
from training.collaborative.interactions import Interactions
from training.data.examples import Batch
from training.data.samples import RoomVersions, Samples
from training.layers.blueprint import HISTORY_TENSORS, Blueprint
from training.layers.visits import WATCHED
from training.models.signatures import Signature

VIEWER, STREAMER = "user.id", "streamer.id"


class LearntRecall(tfrs.Model):
    """A recall model that is trained by gradient on samples.

    Attributes:
        layout: The columns that the model reads; no heads.
        requires: Heads whose labels the samples must have.
        batches_in_time: Whether the slates of a training batch are neighbours in time.
        Options: The dataclass of the table `[options]` of a run's configuration.
    """

    Options: ClassVar[type[Any]]
    requires: ClassVar[tuple[str, ...]] = ("enter",)
    batches_in_time: ClassVar[bool] = False
    layout: Layout

    def __init__(self, blueprint: Blueprint, options: Any) -> None:
        """Wires the model.

        Args:
            blueprint: What the data told.
            options: Of the class `Options`.
        """
        super().__init__()
        self.layout = blueprint.layout
        self.options = options

    @staticmethod
    def examples(samples: Samples) -> Samples:
        """The samples to train on; all if not overridden."""
        return samples

    def prepare(self, training: Samples, validation: Samples, batch_slates: int) -> None:
        """Is called once before the first batch (again when an interrupted run goes on); nothing if not overridden.

        Args:
            training: What `examples` gave of the training samples.
            validation: And of the validation samples.
            batch_slates: Slates a batch.
        """

    def meet(self, rooms: RoomVersions, until_ms: int, seed: int) -> None:
        """Is called once before the first batch where the rooms on air are known; nothing if not overridden.

        Args:
            rooms: The rooms' versions, with the candidate columns of the model.
            until_ms: When the last sample was served that the model may learn from, Unix milliseconds.
            seed: Of what the model draws.
        """

    def drawn(self, batch: Batch) -> Batch:  # noqa: ARG002
        """What the model wants beside a batch, drawn anew for each one; nothing if not overridden."""
        return {}

    def compute_loss(self, inputs: Mapping[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """The loss of a batch of `training.data.examples`, a scalar."""
        raise NotImplementedError

    def signatures(self) -> dict[str, Signature]:
        """The signatures to export, `layout` apart."""
        raise NotImplementedError


Solution = dict[str, NDArray[Any]]
"""Arrays by name, enough to build a solved model again."""


class SolvedRecall(tf.Module):
    """A recall model that is solved from who watched whom: no gradient, no epochs.

    Attributes:
        layout: The columns that the model reads: histories, and the ids of candidates.
        requires: Heads whose labels the samples must have: none.
        Options: The dataclass of the table `[options]` of a run's configuration.
    """

    Options: ClassVar[type[Any]]
    requires: ClassVar[tuple[str, ...]] = ()

    def __init__(self, blueprint: Blueprint, options: Any, solution: Solution) -> None:  # noqa: ARG002
        """Wires the model.

        Args:
            blueprint: What the data told.
            options: Of the class `Options`.
            solution: What `solve` gave.

        Raises:
            ValueError: The layout lacks the streamers of one side.
        """
        super().__init__()
        self.layout = blueprint.layout.select((USER_IDS, *HISTORY_TENSORS, CANDIDATE_IDS))
        columns = {column.name for tensor in self.layout.tensors for column in tensor.columns}
        for needed in (WATCHED, STREAMER):
            if needed not in columns:
                raise ValueError(f"features: expected {needed} among them, received {sorted(columns)}")
        self.options = options

    @classmethod
    def solve(cls, interactions: Interactions, options: Any, seed: int) -> Solution:
        """Solves the model.

        Args:
            interactions: Who watched whom.
            options: Of the class `Options`.
            seed: Of what is drawn.
        """
        raise NotImplementedError

    def signatures(self) -> dict[str, Signature]:
        """The signatures to export, `layout` apart."""
        raise NotImplementedError


def table(values: NDArray[np.generic], name: str) -> Any:
    """A table of a solved model as a variable, so that it lies beside the graph and not in it."""
    return tf.Variable(tf.constant(values), trainable=False, name=name)
