"""A protocol of a comparison: a data set with the questions that are asked of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from training.compare.questions import Questions
from training.data.dataset import Dataset


@dataclass(frozen=True, slots=True)
class Protocol:
    """A data set with what is asked of it.

    Attributes:
        title: What the candidates are.
        dataset: Models are fitted on its training samples; its validation part decides when they stop.
        validation: Questions that the ranker is trained on.
        test: Questions that are measured.
        by_room: Whether offered rooms stand for themselves; False = for their streamers, on air or not.
        options: Options that are not those of a model's configuration, by model.
    """

    title: str
    dataset: Dataset
    validation: Questions
    test: Questions
    by_room: bool
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
