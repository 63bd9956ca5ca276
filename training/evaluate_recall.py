"""Evaluation of recall: among all rooms live at that moment, how high stands the one that the viewer entered?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.bootstrap import REPLICATES, bootstrap, interval
from training.data.samples import RoomVersions, Samples
from training.evaluate import LEAST_POSITIVES, Estimate
from training.heads import HEAD_NAMES
from training.metrics import defined, hits, ndcg, rank_of
from training.recall_baselines import Case, Enters, Scorer, VisitedStreamers

KS = (1, 3, 5, 10, 20, 50, 100)
MOST_CASES = 2_000
SEGMENTS = ("all", "new", "repeat")
"""All cases; those whose viewer never entered the streamer before; those whose viewer did."""


class NoCaseError(ValueError):
    """Samples in which nobody entered a room that is known."""


@dataclass(frozen=True, slots=True)
class RecallCases:
    """Questions with their answer, a row a case; one target a case.

    Attributes:
        time_ms: When the slate was asked for, int64 [C].
        user: User key, int64 [C].
        user_row: Row of the slate, int64 [C]; cases of one row are one request that ended in several rooms.
        room: Room key of the target, int64 [C].
        streamer: Streamer key of the target, int64 [C].
    """

    time_ms: NDArray[np.int64]
    user: NDArray[np.int64]
    user_row: NDArray[np.intp]
    room: NDArray[np.int64]
    streamer: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.time_ms)

    @classmethod
    def of(cls, samples: Samples) -> "RecallCases":
        """A case for each impression that was entered."""
        enter = HEAD_NAMES.index("enter")
        candidates = samples.candidates
        entered = np.flatnonzero(candidates.mask[:, enter] & (candidates.labels[:, enter] > 0))
        row = candidates.slate[entered].astype(np.intp)
        slates = samples.slates
        return cls(slates.time_ms[row], slates.user[row], row, candidates.room[entered], candidates.streamer[entered])

    def take(self, rows: NDArray[np.intp]) -> "RecallCases":
        """These cases."""
        columns = (self.time_ms, self.user, self.user_row, self.room, self.streamer)
        return RecallCases(*(column[rows] for column in columns))


@dataclass(frozen=True, slots=True)
class Segment:
    """Which cases a number speaks of.

    Attributes:
        cases: How many.
        comparable: At least 100: with fewer, two scorers cannot be told apart.
    """

    cases: int
    comparable: bool


@dataclass(frozen=True, slots=True)
class RecallReport:
    """Scorers beside each other on the same cases.

    Attributes:
        cases_given: Cases before the sample was drawn.
        cases: Cases that were asked.
        users: Distinct users among them.
        unknown_rooms: Cases left out, for the target has no room version.
        targets_added: Cases whose target was not on air at that moment and was put among the candidates.
        candidates_mean: Mean number of rooms a case ranks.
        candidates_min: The smallest.
        ks: Cut-offs, each at most a tenth of the mean number of candidates.
        ks_left_out: Cut-offs that were asked for and are larger: nearly any order would pass them.
        segments: By name, see `SEGMENTS`.
        metrics: By scorer, segment and metric: `recall@k` (mean over cases), `ndcg@k` (mean over cases), `hit_rate@k`
            (share of requests with at least one target among the first k).
    """

    cases_given: int
    cases: int
    users: int
    unknown_rooms: int
    targets_added: int
    candidates_mean: float
    candidates_min: int
    ks: tuple[int, ...]
    ks_left_out: tuple[int, ...]
    segments: Mapping[str, Segment]
    metrics: Mapping[str, Mapping[str, Mapping[str, Estimate]]]


@dataclass(frozen=True, slots=True)
class _Ranks:
    """Where each scorer put the targets.

    Attributes:
        ranks: 0-based, int64 [C, scorers].
        candidates: Rooms ranked, int64 [C].
        added: Targets that were not on air.
    """

    ranks: NDArray[np.int64]
    candidates: NDArray[np.int64]
    added: int


def evaluate_recall(
    cases: RecallCases,
    rooms: RoomVersions,
    scorers: Mapping[str, Scorer],
    enters: Enters,
    ks: Sequence[int] = KS,
    *,
    most_cases: int = MOST_CASES,
    seed: int = 0,
    replicates: int = REPLICATES,
) -> RecallReport:
    """Ranks all rooms live at each case's moment with each scorer; ties break by room key, which is a hash.

    Args:
        cases: What to ask; whole requests are drawn from it until there are `most_cases`.
        rooms: Which rooms were on air when.
        scorers: By name.
        enters: Of the whole log: whether a streamer is new to the viewer.
        ks: Cut-offs.
        most_cases: Upper bound of the cases asked.
        seed: Of the drawn cases and of the bootstrap.
        replicates: Of the bootstrap; 0 leaves the intervals out.

    Raises:
        NoCaseError: There is no case.
        ValueError: A scorer does not give one score a candidate.
    """
    known = np.flatnonzero(np.isin(cases.room, rooms.room))
    asked = draw_cases(cases.take(known), most_cases, np.random.default_rng(seed))
    if not len(asked):
        raise NoCaseError(f"cases: expected an entered room with a version, received {len(cases)} cases without")
    ranked = _rank(asked, rooms, scorers)
    mean = float(ranked.candidates.mean())
    kept = tuple(k for k in sorted(set(ks)) if k <= mean / 10)
    repeat = _repeat(asked, enters)
    masks = {"all": np.ones(len(asked), bool), "new": ~repeat, "repeat": repeat}
    metrics: dict[str, dict[str, Mapping[str, Estimate]]] = {name: {} for name in scorers}
    for segment, mask in masks.items():
        for place, name in enumerate(scorers):
            rows = np.flatnonzero(mask)
            metrics[name][segment] = _estimates(asked.take(rows), ranked.ranks[rows, place], kept, seed, replicates)
    return RecallReport(
        cases_given=len(cases),
        cases=len(asked),
        users=len(np.unique(asked.user)),
        unknown_rooms=len(cases) - len(known),
        targets_added=ranked.added,
        candidates_mean=mean,
        candidates_min=int(ranked.candidates.min()),
        ks=kept,
        ks_left_out=tuple(k for k in sorted(set(ks)) if k not in kept),
        segments={name: Segment(int(mask.sum()), bool(mask.sum() >= LEAST_POSITIVES)) for name, mask in masks.items()},
        metrics=metrics,
    )


def draw_cases(cases: RecallCases, most: int, rng: np.random.Generator) -> RecallCases:
    """Cases in order of time; if there are more than `most`, those of whole requests drawn while they fit in."""
    if len(cases) > most:
        _, request, size = np.unique(cases.user_row, return_inverse=True, return_counts=True)
        order = rng.permutation(len(size))
        chosen = order[np.cumsum(size[order]) <= most]
        cases = cases.take(np.flatnonzero(np.isin(request, chosen)))
    return cases.take(np.argsort(cases.time_ms, kind="stable"))


def _rank(cases: RecallCases, rooms: RoomVersions, scorers: Mapping[str, Scorer]) -> _Ranks:
    ranks = np.zeros((len(cases), len(scorers)), np.int64)
    candidates = np.zeros(len(cases), np.int64)
    added = 0
    for number in range(len(cases)):
        time_ms, room = int(cases.time_ms[number]), int(cases.room[number])
        rows = rooms.live_at(time_ms)
        target = np.flatnonzero(rooms.room[rows] == room)
        if not len(target):
            rows = np.append(rows, _version_at(rooms, room, time_ms))
            target = np.array([len(rows) - 1])
            added += 1
        candidates[number] = len(rows)
        case = Case(number, time_ms, int(cases.user[number]), int(cases.user_row[number]))
        for place, (name, scorer) in enumerate(scorers.items()):
            scores = scorer(case, rows)
            if scores.shape != rows.shape:
                raise ValueError(f"{name}: expected scores of shape {rows.shape}, received {scores.shape}")
            ranks[number, place] = rank_of(scores, int(target[0]), rooms.room[rows])
    return _Ranks(ranks, candidates, added)


def _version_at(rooms: RoomVersions, room: int, time_ms: int) -> int:
    """The row of the room's last version that began by then, or else of its first."""
    rows = np.flatnonzero(rooms.room == room)
    rows = rows[np.argsort(rooms.start_ms[rows], kind="stable")]
    return int(rows[max(np.searchsorted(rooms.start_ms[rows], time_ms, side="right") - 1, 0)])


def _repeat(cases: RecallCases, enters: Enters) -> NDArray[np.bool_]:
    """Whether the viewer had entered the target's streamer before, [C]."""
    visited = VisitedStreamers(enters)
    rows = zip(cases.user.tolist(), cases.time_ms.tolist(), cases.streamer.tolist(), strict=True)
    return np.array([bool((visited.before(user, time_ms) == streamer).any()) for user, time_ms, streamer in rows], bool)


def _estimates(
    cases: RecallCases, ranks: NDArray[np.int64], ks: tuple[int, ...], seed: int, replicates: int
) -> dict[str, Estimate]:
    """recall, ndcg and hit rate at each k with intervals over users."""
    if not ks or not len(cases):
        return {}
    users, user = np.unique(cases.user, return_inverse=True)
    best, request_user = _best_ranks(cases, ranks, user)
    by_case = np.stack([metric(ranks, k) for metric in (hits, ndcg) for k in ks], axis=1)
    by_request = np.stack([hits(best, k) for k in ks], axis=1)
    sums = np.hstack([_sums(by_case, user, len(users)), _sums(by_request, request_user, len(users))])
    sizes = np.hstack([_sizes(by_case, user, len(users)), _sizes(by_request, request_user, len(users))])

    def statistic(counts: NDArray[np.integer]) -> NDArray[np.float64]:
        return (counts @ sums) / (counts @ sizes)

    values = statistic(np.ones(len(users), np.int64))
    draws = bootstrap(statistic, len(users), seed, replicates) if replicates else np.zeros((0, len(values)))
    names = [f"{metric}@{k}" for metric in ("recall", "ndcg", "hit_rate") for k in ks]
    return {name: Estimate(defined(values[at]), interval(draws[:, at])) for at, name in enumerate(names)}


def _best_ranks(
    cases: RecallCases, ranks: NDArray[np.int64], user: NDArray[np.intp]
) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
    """The best rank among each request's targets, and the request's user."""
    _, first, request = np.unique(cases.user_row, return_index=True, return_inverse=True)
    best = np.full(len(first), np.iinfo(np.int64).max)
    np.minimum.at(best, request, ranks)
    return best, user[first]


def _sums(values: NDArray[np.float64], user: NDArray[np.intp], users: int) -> NDArray[np.float64]:
    """Column sums by user, [U, M]."""
    sums = np.zeros((users, values.shape[1]))
    np.add.at(sums, user, values)
    return sums


def _sizes(values: NDArray[np.float64], user: NDArray[np.intp], users: int) -> NDArray[np.float64]:
    """Rows by user, once a column, [U, M]."""
    return np.repeat(np.bincount(user, minlength=users)[:, None], values.shape[1], axis=1).astype(np.float64)
