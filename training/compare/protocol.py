"""A protocol of a comparison: a data set with the questions that are asked of it."""

from dataclasses import dataclass

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
    """

    title: str
    dataset: Dataset
    validation: Questions
    test: Questions
    by_room: bool
