"""Peers of the comparison: the models of `implicit`, and rules that need no training, as scorers of rooms.

The models are fitted on the visits of the training period and see a viewer's whole history up to the question: the
neighbour models through its counts, ALS by fold-in, BPR by the viewer's fitted vector alone.
"""

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import scipy.sparse as sparse
from implicit.als import AlternatingLeastSquares
from implicit.bpr import BayesianPersonalizedRanking
from implicit.nearest_neighbours import BM25Recommender, CosineRecommender
from implicit.utils import ParameterWarning
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from training.compare.questions import Questions
from training.data.samples import RoomVersions
from training.recall_baselines import Case, Enters, Popularity, RecentPopularity, RepeatVisits, Scorer, VisitedStreamers

RECENT_VISITS, RECENCY_DECAY = 10, 0.95
RECENCY_WEIGHT, COUNT_WEIGHT, POPULARITY_WEIGHT = 0.45, 0.45, 0.10
"""Of the memory rule, as published for KuaiLive. Its source names no decay; this one gives the figures measured
elsewhere on the test steps of the Twitch file, so it flatters the rule if anything."""

Counts = sparse.csr_matrix
"""Visits, [users or questions, streamers]."""


@dataclass(frozen=True, slots=True)
class Visits:
    """The visits of a log as numbers of users and streamers.

    Attributes:
        users: User keys, int64 [U], ascending.
        streamers: Streamer keys, int64 [S], ascending.
        trained: Visits of the training period, [U, S].
        visited: All visits, of whom a question sees those before it.
    """

    users: NDArray[np.int64]
    streamers: NDArray[np.int64]
    trained: Counts
    visited: VisitedStreamers

    @classmethod
    def of(cls, enters: Enters, until_ms: int) -> "Visits":
        """The visits of a log whose training period ends at `until_ms`."""
        users, user = np.unique(enters.user, return_inverse=True)
        streamers, streamer = np.unique(enters.streamer, return_inverse=True)
        count = np.searchsorted(enters.time_ms, until_ms)
        trained = _counts(user[:count], streamer[:count], (len(users), len(streamers)))
        return cls(users, streamers, trained, VisitedStreamers(enters))

    def histories(self, questions: Questions) -> Counts:
        """Each viewer's visits before the question, [C, S]."""
        keys = [self.visited.before(int(u), int(t)) for u, t in zip(*_asked(questions), strict=True)]
        question = np.repeat(np.arange(len(keys)), [len(each) for each in keys])
        streamer = np.searchsorted(self.streamers, np.concatenate([np.zeros(0, np.int64), *keys]))
        return _counts(question, streamer, (len(keys), len(self.streamers)))


@dataclass(frozen=True, slots=True)
class Fitted:
    """A peer after training.

    Attributes:
        scores: Scores of all streamers, float32 [C, S], given the questions' histories [C, S] and users, int64 [C].
        seconds: Time of the fit.
    """

    scores: Callable[[Counts, NDArray[np.intp]], NDArray[np.float32]]
    seconds: float


def item_knn(kind: Any, **options: Any) -> Callable[[Visits, int], Fitted]:
    """Item-based neighbours of `implicit`: counts of the history times similarities."""

    def fitted(visits: Visits, seed: int) -> Fitted:  # noqa: ARG001
        model = kind(num_threads=1, **options)
        seconds = _timed(lambda: model.fit(visits.trained, show_progress=False))
        similarity = sparse.csr_matrix(model.similarity)

        def scores(histories: Counts, users: NDArray[np.intp]) -> NDArray[np.float32]:  # noqa: ARG001
            found: Any = histories @ similarity
            return found.toarray().astype(np.float32)

        return Fitted(scores, seconds)

    return fitted


def als(**options: Any) -> Callable[[Visits, int], Fitted]:
    """Implicit ALS (Hu et al., ICDM 2008), viewers folded in from their whole history."""

    def fitted(visits: Visits, seed: int) -> Fitted:
        with threadpool_limits(1):  # Its constructor warns of more threads.
            model: Any = AlternatingLeastSquares(
                factors=128, iterations=15, num_threads=1, random_state=seed, **options
            )
        seconds = _timed(lambda: model.fit(visits.trained, show_progress=False))

        def scores(histories: Counts, users: NDArray[np.intp]) -> NDArray[np.float32]:
            factors = model.recalculate_user(np.zeros(len(users), np.int32), histories)
            return np.asarray(factors @ model.item_factors.T, np.float32)

        return Fitted(scores, seconds)

    return fitted


def bpr(visits: Visits, seed: int) -> Fitted:
    """Matrix factorisation by Bayesian personalised ranking (Rendle et al., UAI 2009)."""
    model: Any = BayesianPersonalizedRanking(factors=64, iterations=100, num_threads=1, random_state=seed)
    seconds = _timed(lambda: model.fit(visits.trained, show_progress=False))

    def scores(histories: Counts, users: NDArray[np.intp]) -> NDArray[np.float32]:  # noqa: ARG001
        return np.asarray(model.user_factors[users] @ model.item_factors.T, np.float32)

    return Fitted(scores, seconds)


Peers = Mapping[str, Callable[[Visits, int], Fitted]]
"""Models by name, given visits and a seed."""

AMONG_LIVE: Peers = MappingProxyType(
    {
        "implicit cosine": item_knn(CosineRecommender, K=500),
        "implicit BM25": item_knn(BM25Recommender, K=500, K1=3, B=0.75),
        "implicit ALS": als(regularization=1.0, alpha=20.0),
        "implicit BPR": bpr,
    }
)
"""The models of `implicit` where rooms on air are ranked; constants chosen on the Twitch file's validation steps."""

AMONG_ALL: Peers = MappingProxyType(
    {
        **AMONG_LIVE,
        "implicit BM25": item_knn(BM25Recommender, K=200, K1=10, B=0.2),
        "implicit ALS": als(regularization=20.0, alpha=5.0),
    }
)
"""The same where all streamers are ranked, on air or not. Here the constants of BM25 and ALS are those that give the
figures measured elsewhere on the file's test steps, so they flatter these two if anything."""


@dataclass(frozen=True, slots=True)
class StreamerScores:
    """A scorer by scores of streamers that were computed for all questions at once.

    Attributes:
        scores: float32 [C, S].
        number: Number of each room version's streamer, intp [R]; S = unknown.
    """

    scores: NDArray[np.float32]
    number: NDArray[np.intp]

    def __call__(self, case: Case, rows: NDArray[np.intp], /) -> NDArray[np.floating]:
        """See `Scorer`; an unknown streamer has 0."""
        return np.append(self.scores[case.number], np.float32(0))[self.number[rows]]


def peer_scorer(fitted: Fitted, visits: Visits, questions: Questions, rooms: RoomVersions) -> StreamerScores:
    """The scorer of a fitted peer for these questions."""
    user = np.searchsorted(visits.users, questions.cases.user).astype(np.intp)
    with threadpool_limits(1):
        scores = fitted.scores(visits.histories(questions), user)
    place = np.minimum(np.searchsorted(visits.streamers, rooms.streamer), len(visits.streamers) - 1)
    number = np.where(visits.streamers[place] == rooms.streamer, place, len(visits.streamers))
    return StreamerScores(scores, number.astype(np.intp))


@dataclass(frozen=True, slots=True)
class MemoryRule:
    """Recency, frequency and a little popularity.

    Of this viewer's visits h_1, h_2, … (newest first), a streamer s gets

        0.45 · Σ_{i ≤ 10} 0.95^(i−1) [h_i = s] / 10 + 0.45 · log(1 + n_s) / max log(1 + n) + 0.1 · log(1 + p_s) / max

    with n_s all visits of the viewer to s and p_s those of all viewers in the training period.

    Attributes:
        visited: The visits so far.
        streamer: Streamer key of each room version, int64 [R].
        popularity: log(1 + p) of each room version's streamer, float64 [R].
    """

    visited: VisitedStreamers
    streamer: NDArray[np.int64]
    popularity: NDArray[np.float64]

    def __call__(self, case: Case, rows: NDArray[np.intp], /) -> NDArray[np.floating]:
        """See `Scorer`."""
        visits = self.visited.before(case.user, case.time_ms)
        wanted = self.streamer[rows]
        known, counts = np.unique(visits, return_counts=True)
        place = np.searchsorted(known, wanted)
        frequency = np.where(np.append(known, 0)[place] == wanted, np.log1p(np.append(counts, 0))[place], 0.0)
        recent = visits[::-1][:RECENT_VISITS]
        recency = (wanted[:, None] == recent) @ RECENCY_DECAY ** np.arange(len(recent))
        return (
            RECENCY_WEIGHT * recency / RECENT_VISITS
            + COUNT_WEIGHT * frequency / max(float(np.log1p(counts).max(initial=0)), 1e-9)
            + POPULARITY_WEIGHT * self.popularity[rows] / max(float(self.popularity.max(initial=0)), 1e-9)
        )


def rules(enters: Enters, rooms: RoomVersions, trained_until_ms: int) -> dict[str, Scorer]:
    """The scorers that need no training, by name."""
    visited = VisitedStreamers(enters)
    popularity = Popularity.of(enters, rooms, trained_until_ms)
    return {
        "popularity": popularity,
        "recent popularity": RecentPopularity.of(enters, rooms),
        "repeat counts": RepeatVisits(visited, rooms.streamer),
        "memory rule": MemoryRule(visited, rooms.streamer, np.log1p(popularity.visits)),
    }


def _asked(questions: Questions) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return questions.cases.user, questions.cases.time_ms


def _counts(row: NDArray[np.intp], column: NDArray[np.intp], shape: tuple[int, int]) -> Counts:
    counts = sparse.csr_matrix((np.ones(len(row), np.float32), (row, column)), shape=shape)
    counts.sum_duplicates()
    return counts


def _timed(fit: Callable[[], object]) -> float:
    started = time.perf_counter()
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ParameterWarning)  # Its own weighting hands its kernel what that warns of.
        fit()
    return time.perf_counter() - started
