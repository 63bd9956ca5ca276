"""The data of a comparison of rankers: samples in three parts, and what their heads are called."""

from collections.abc import Mapping
from dataclasses import dataclass

from training.data.dataset import Dataset
from training.data.split import Split
from training.evaluate import CONVERSION
from training.layers.fitted import Encodings, encodings_of


@dataclass(frozen=True, slots=True)
class RankingData:
    """What all rankers of a comparison are trained and judged on.

    Attributes:
        title: What the data are.
        split: Training, validation and test samples.
        encodings: How each column is taken in.
        reported: What is reported, heads and `CONVERSION` where it has a meaning, and how it is called.
    """

    title: str
    split: Split
    encodings: Encodings
    reported: Mapping[str, str]


def sample_data(dataset: Dataset) -> RankingData:
    """A sample set of one's own; its heads keep their names."""
    heads = dataset.split.test.layout.heads
    reported = {head: head for head in heads}
    if {"enter", "long_watch"} <= set(heads):
        reported[CONVERSION] = f"{CONVERSION} (CVR)"
    encodings = encodings_of(dataset.catalog.features)
    return RankingData(f"Samples of {dataset.about.log}", dataset.split, encodings, reported)
