"""What a channel finds for the questions of a comparison, and what the channels find together."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from feature_service.merge import merge
from feature_service.stages import Candidates, Recalled
from training.compare.questions import Places, Questions
from training.data.samples import RoomVersions
from training.recall_baselines import Scorer

NOT_FOUND = np.iinfo(np.int64).max
"""The rank of a target that is not among what was found."""


@dataclass(frozen=True, slots=True)
class Found:
    """Lists of rooms, best first, one a question.

    Attributes:
        places: Places among the rooms offered, intp [n_c] a question.
        scores: The channel's scores, float32 [n_c] a question, descending.
        query_us: Processor time of a question: to score the rooms and to put them in order, microseconds.
    """

    places: tuple[Places, ...]
    scores: tuple[NDArray[np.float32], ...]
    query_us: float

    def ranks(self, questions: Questions) -> NDArray[np.int64]:
        """0-based rank of each question's target, int64 [C]; `NOT_FOUND` where it is missing."""
        ranks = np.full(len(questions), NOT_FOUND)
        for number, places in enumerate(self.places):
            rank = np.flatnonzero(places == questions.target[number])
            if len(rank):
                ranks[number] = rank[0]
        return ranks


def ask(questions: Questions, scorer: Scorer, rooms: RoomVersions, most: int) -> Found:
    """A scorer's best rooms for every question; ties break by room key, which is a hash.

    Args:
        questions: What is asked.
        scorer: Of the rooms offered; −inf and NaN are rooms that it does not find.
        rooms: The rooms.
        most: Rooms kept of a question.

    Raises:
        ValueError: The scorer does not give one score a room.
    """
    places: list[Places] = []
    kept: list[NDArray[np.float32]] = []
    started = time.process_time()
    for number, rows in enumerate(questions.offered):
        scores = np.asarray(scorer(questions.case(number), rows), np.float32)
        if scores.shape != rows.shape:
            raise ValueError(f"scorer: expected scores of shape {rows.shape}, received {scores.shape}")
        order = np.lexsort((rooms.room[rows], -np.where(np.isnan(scores), -np.inf, scores)))
        order = order[np.isfinite(scores[order])][:most]
        places.append(order)
        kept.append(scores[order])
    query_us = (time.process_time() - started) / max(len(questions), 1) * 1e6
    return Found(tuple(places), tuple(kept), query_us)


def merged(
    found: Mapping[str, Found], quotas: Mapping[str, int], weights: Mapping[str, float], limit: int
) -> list[Candidates]:
    """The candidates of each question, as the service merges them.

    Args:
        found: By channel.
        quotas: As of a scene; only channels that are in it take part.
        weights: As of a scene.
        limit: Candidates at most.
    """
    channels = {name: each for name, each in found.items() if name in quotas}
    questions = len(next(iter(channels.values())).places)
    return [
        merge(
            [Recalled(name, each.places[number], each.scores[number]) for name, each in channels.items()],
            quotas,
            weights,
            limit,
        )
        for number in range(questions)
    ]


def in_order(candidates: Sequence[Candidates], query_us: float) -> Found:
    """Merged candidates as lists, in the order of the merge: the first candidate has the highest score."""
    places = tuple(each.rows for each in candidates)
    return Found(places, tuple(-np.arange(len(rows), dtype=np.float32) for rows in places), query_us)


def by_scores(candidates: Sequence[Candidates], scores: Sequence[NDArray[np.float32]], query_us: float) -> Found:
    """Merged candidates by descending score; equal ones stay in the order of the merge, and NaN comes last.

    Args:
        candidates: Of each question.
        scores: Of its candidates, float32 [n_c] a question.
        query_us: As of `Found`.
    """
    orders = [np.argsort(-each, kind="stable") for each in scores]
    places = tuple(each.rows[order] for each, order in zip(candidates, orders, strict=True))
    return Found(places, tuple(each[order] for each, order in zip(scores, orders, strict=True)), query_us)


def scores_of(questions: Questions, candidates: Sequence[Candidates], scorer: Scorer) -> list[NDArray[np.float32]]:
    """What a scorer gives merged candidates, whether it found them itself or not, float32 [n_c] a question."""
    return [
        np.asarray(scorer(questions.case(number), questions.offered[number][each.rows]), np.float32)
        for number, each in enumerate(candidates)
    ]
