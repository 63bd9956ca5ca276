"""The protocol of a platform's own samples: every entered room of the test part, among the rooms on air then."""

import numpy as np

from training.compare.protocol import Protocol
from training.compare.questions import Questions, among_live
from training.data.dataset import Dataset
from training.data.samples import Samples
from training.evaluate_recall import NoCaseError, RecallCases, draw_cases

MOST_TEST, MOST_VALIDATION = 2_000, 4_000
"""Questions of the parts, at most; of more, whole requests are drawn."""


def live_protocol(dataset: Dataset, seed: int = 0) -> Protocol:
    """The questions of a data set.

    Args:
        dataset: Split by time.
        seed: Of the drawn questions.

    Raises:
        NoCaseError: In a part nobody entered a room that is known.
    """
    rng = np.random.default_rng(seed)
    validation = _questions(dataset, "validation", dataset.split.validation, MOST_VALIDATION, rng)
    test = _questions(dataset, "test", dataset.split.test, MOST_TEST, rng)
    return Protocol("rooms on air", dataset, validation, test, by_room=True)


def _questions(dataset: Dataset, part: str, samples: Samples, most: int, rng: np.random.Generator) -> Questions:
    cases = RecallCases.of(samples)
    cases = cases.take(np.flatnonzero(np.isin(cases.room, dataset.rooms.room)))
    if not len(cases):
        raise NoCaseError(f"{part}: expected an entered room with a version, received none")
    return among_live(draw_cases(cases, most, rng), dataset.rooms, dataset.enters)
