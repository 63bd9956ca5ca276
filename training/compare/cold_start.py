"""Cold start: how high recall puts the rooms of streamers whom nobody had entered before the test part began.

A case is an entered room of such a streamer. Its rivals are all rooms on air then, or those of cold streamers alone:
among all, a scorer of popularity cannot win; among the cold, only what a room shows can tell them apart.

All scorers rank the same cases, and differences are taken case by case. A mean over streamers, each with the mean of
her cases, tells of a streamer who starts; a mean over cases tells of a visit, and one newcomer who draws a crowd on her
first evening, whom heat finds after a minute, can be a third of a world's cases. Both are resampled by streamer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.bootstrap import REPLICATES, Interval, bootstrap, interval
from training.compare.fresh_rule import Fresh
from training.data.dataset import Dataset
from training.evaluate_recall import RecallCases
from training.metrics import hits, rank_of
from training.recall_baselines import Case, Popularity, RandomOrder, RecentPopularity, Scorer

KS = {"all rooms": 5, "cold rooms": 1}
"""The k of recall by rivals: nearly any order finds the target among the first five of a handful of cold rooms."""

HOT_HALF_LIFE_MS = 600_000
"""That of the channel `hot`."""

RIVALS = tuple(KS)

PER = ("streamer", "visit")
"""What a mean is of."""


class NoColdCaseError(ValueError):
    """A test part in which nobody entered a room of a cold streamer."""


def baselines(dataset: Dataset, seed: int) -> dict[str, Scorer]:
    """What the two-tower stands beside, by name."""
    enters, rooms = dataset.enters, dataset.rooms
    return {
        "hot": RecentPopularity.of(enters, rooms, HOT_HALF_LIFE_MS),
        "recent_popularity": RecentPopularity.of(enters, rooms),
        "fresh": Fresh.of(dataset, seed),
        "popularity": Popularity.of(enters, rooms, dataset.at.validation_ms),
        "random": RandomOrder(seed),
    }


@dataclass(frozen=True, slots=True)
class ColdRanks:
    """Where scorers put the rooms of cold streamers in one world.

    Attributes:
        streamer: Streamer key of each case, int64 [C].
        ranks: 0-based rank of the target by rivals and scorer, int64 [C].
        rivals: Mean number of rooms that a case ranks, by rivals.
    """

    streamer: NDArray[np.int64]
    ranks: Mapping[str, Mapping[str, NDArray[np.int64]]]
    rivals: Mapping[str, float]


def cold_ranks(dataset: Dataset, scorers: Mapping[str, Scorer]) -> ColdRanks:
    """Ranks the rooms on air for every case of the test part.

    Raises:
        NoColdCaseError: There is no case.
    """
    rooms, enters = dataset.rooms, dataset.enters
    met = np.unique(enters.streamer[: np.searchsorted(enters.time_ms, dataset.at.test_ms)])
    cold = ~np.isin(rooms.streamer, met)
    cases = RecallCases.of(dataset.split.test)
    cases = cases.take(np.flatnonzero(~np.isin(cases.streamer, met)))
    ranks = {name: {scorer: [] for scorer in scorers} for name in RIVALS}
    rivals: dict[str, list[int]] = {name: [] for name in RIVALS}
    kept: list[int] = []
    for number in range(len(cases)):
        rows = rooms.live_at(int(cases.time_ms[number]))
        target = np.flatnonzero(rooms.room[rows] == cases.room[number])
        if not len(target):
            continue
        kept.append(number)
        case = Case(number, int(cases.time_ms[number]), int(cases.user[number]), int(cases.user_row[number]))
        among = {"all rooms": np.ones(len(rows), np.bool_), "cold rooms": cold[rows]}
        for scorer, score in scorers.items():
            scores = score(case, rows)
            for name, few in among.items():
                place = int(np.count_nonzero(few[: target[0]]))
                ranks[name][scorer].append(rank_of(scores[few], place, rooms.room[rows[few]]))
        for name, few in among.items():
            rivals[name].append(int(few.sum()))
    if not kept:
        raise NoColdCaseError("test part: expected an entered room of a streamer whom nobody had entered before")
    return ColdRanks(
        cases.streamer[kept],
        {name: {scorer: np.array(found) for scorer, found in by.items()} for name, by in ranks.items()},
        {name: float(np.mean(counts)) for name, counts in rivals.items()},
    )


@dataclass(frozen=True, slots=True)
class Share:
    """A mean share of cases that a scorer finds, or a difference of two.

    Attributes:
        value: Over all worlds.
        interval: 95 %, streamers resampled; None where it is undefined.
        by_world: The value in each world.
    """

    value: float
    interval: Interval | None
    by_world: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class ColdStart:
    """Scorers beside each other over worlds.

    Attributes:
        cases: Cases of each world.
        streamers: Cold streamers that were entered, of each world.
        rivals: Mean number of rooms that a case ranks, by rivals.
        recall: recall@k by rivals, what it is a mean of (`PER`) and scorer; see `KS`.
        gain: By the same, recall@k of the first scorer less that of each other one, over the same draws.
    """

    cases: tuple[int, ...]
    streamers: tuple[int, ...]
    rivals: Mapping[str, float]
    recall: Mapping[str, Mapping[str, Mapping[str, Share]]]
    gain: Mapping[str, Mapping[str, Mapping[str, Share]]]


def summarise(worlds: Sequence[ColdRanks], *, seed: int = 0, replicates: int = REPLICATES) -> ColdStart:
    """Joins worlds.

    Args:
        worlds: All with the same scorers; the first scorer is compared with the others.
        seed: Of the bootstrap.
        replicates: Of the bootstrap.
    """
    world = np.repeat(np.arange(len(worlds)), [len(each.streamer) for each in worlds])
    keys = np.stack([world, np.concatenate([each.streamer for each in worlds])], axis=1)
    streamers, streamer = np.unique(keys, axis=0, return_inverse=True)
    cases = np.bincount(streamer.ravel()).astype(np.float64)
    recall: dict[str, dict[str, dict[str, Share]]] = {}
    gain: dict[str, dict[str, dict[str, Share]]] = {}
    for rivals in RIVALS:
        scorers = list(worlds[0].ranks[rivals])
        found = [np.concatenate([each.ranks[rivals][scorer] for each in worlds]) for scorer in scorers]
        hit = np.stack([hits(ranks, KS[rivals]) for ranks in found], axis=1)
        sums = np.zeros((len(streamers), len(scorers)))
        np.add.at(sums, streamer.ravel(), hit)
        means = sums / cases[:, np.newaxis]
        recall[rivals], gain[rivals] = {}, {}
        for per, weights in (("streamer", np.ones_like(cases)), ("visit", cases)):
            values = np.hstack([means, means[:, :1] - means])
            shares = _shares(values, weights, streamers[:, 0], seed, replicates)
            recall[rivals][per] = dict(zip(scorers, shares[: len(scorers)], strict=True))
            gain[rivals][per] = dict(zip(scorers[1:], shares[len(scorers) + 1 :], strict=True))
    return ColdStart(
        cases=tuple(len(each.streamer) for each in worlds),
        streamers=tuple(len(np.unique(each.streamer)) for each in worlds),
        rivals={name: float(np.mean([each.rivals[name] for each in worlds])) for name in RIVALS},
        recall=recall,
        gain=gain,
    )


def _shares(
    values: NDArray[np.float64], weights: NDArray[np.float64], world: NDArray[np.int64], seed: int, replicates: int
) -> list[Share]:
    """The mean of each column [S, M] of streamers with weights [S], with intervals over streamers."""
    weighted = values * weights[:, np.newaxis]

    def means(counts: NDArray[np.int64]) -> NDArray[np.float64]:
        return (counts @ weighted) / (counts @ weights)

    draws = bootstrap(means, len(weights), seed, replicates)
    overall = means(np.ones(len(weights), np.int64))
    by_world = np.stack([means((world == number).astype(np.int64)) for number in np.unique(world)])
    return [
        Share(float(overall[at]), interval(draws[:, at]), tuple(by_world[:, at].tolist()))
        for at in range(values.shape[1])
    ]
