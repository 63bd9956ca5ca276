"""Logged requests with all rooms that were on air then, described as a ranker reads them."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from feature_service.features.layout import CANDIDATE_TENSORS
from training.compare.moments import Moment, features_at
from training.data.dataset import Dataset
from training.data.errors import DataError
from training.data.samples import Candidates, Samples
from training.heads import HEAD_NAMES, HEADS
from training.models.ranking import Ranker
from training.predict import predict
from training.tuning.off_policy import Logged

Objective = Mapping[str, float]
"""What an outcome is worth: weight by head."""

Predictions = NDArray[np.float32]


def logged_requests(
    model: Ranker, dataset: Dataset, samples: Samples, objective: Objective, most: int
) -> tuple[Logged, Predictions]:
    """The first places of logged slates, and what a ranker predicts of all rooms on air then.

    The first place alone, for what stands below is seen only if the viewer goes on, which depends on what was above.

    Args:
        model: The ranker.
        dataset: Its log is read again for the rooms that were not shown.
        samples: A part of it.
        objective: Heads that the samples have labels of.
        most: Requests at most; the latest are taken.

    Returns:
        The requests, and the predictions, float32 [rows, heads].

    Raises:
        DataError: The log has no propensities, nothing was left to chance, or no request is known to its end.
    """
    rows = _first_places(samples, objective)[-most:]
    candidates, slates = samples.candidates, samples.slates
    slate = candidates.slate[rows]
    times_ms = slates.time_ms[slate]
    rooms = candidates.room[rows]
    on_air = [_with_shown(dataset, *each) for each in zip(times_ms.tolist(), rooms.tolist(), strict=True)]
    moments = [
        Moment(int(time_ms), int(slates.user[number]), dataset.rooms.room[live], dataset.rooms.streamer[live])
        for time_ms, number, live in zip(times_ms, slate, on_air, strict=True)
    ]
    described = _described(samples, dataset, slate, moments)
    predictions = predict(model, described)
    sizes = np.array([len(live) for live in on_air])
    first = np.cumsum(sizes) - sizes
    shown = np.flatnonzero(described.candidates.room == np.repeat(rooms, sizes))
    _, user = np.unique(slates.user[slate], return_inverse=True)
    return (
        Logged(
            user=user.astype(np.int64),
            first=first,
            shown=shown,
            propensity=candidates.propensity[rows].astype(np.float64),
            reward=reward(candidates.labels[rows], objective),
            expected=expected_reward(model.layout.heads, predictions, objective),
        ),
        predictions,
    )


def reward(labels: NDArray[np.float32], objective: Objective) -> NDArray[np.float64]:
    """Σ weight · label, float32 [n, heads of all] → float64 [n]."""
    columns = [HEAD_NAMES.index(head) for head in objective]
    return labels[:, columns].astype(np.float64) @ np.array(list(objective.values()))


def expected_reward(heads: tuple[str, ...], predictions: Predictions, objective: Objective) -> NDArray[np.float64]:
    """What a ranker expects of the objective, float64 [rows]; what it does not predict counts nothing.

    What a head predicts of who entered counts with the probability to enter.
    """
    total = np.zeros(len(predictions))
    enter = predictions[:, heads.index("enter")] if "enter" in heads else np.ones(len(predictions))
    for head, weight in objective.items():
        if head in heads:
            column = predictions[:, heads.index(head)].astype(np.float64)
            total += weight * column * (enter if HEADS[head].given_enter else 1.0)
    return total


def _first_places(samples: Samples, objective: Objective) -> NDArray[np.int64]:
    """Rows of the first places whose outcome is known, in order of time.

    Raises:
        DataError: As `logged_requests`.
    """
    candidates = samples.candidates
    rows = np.flatnonzero((candidates.position == 0) & ~candidates.sampled)
    known = np.ones(len(rows), np.bool_)
    entered, enter = candidates.entered[rows], HEAD_NAMES.index("enter")
    for head in objective:
        has = candidates.mask[rows, HEAD_NAMES.index(head)]
        known &= has | (candidates.mask[rows, enter] & ~entered if HEADS[head].given_enter else False)
    rows = rows[known]
    if not len(rows):
        raise DataError(f"expected first places with known labels of {list(objective)}, found none")
    propensity = candidates.propensity[rows]
    missing = int((propensity <= 0).sum())
    if missing:
        raise DataError(
            f"propensity: expected the probability of each room that was shown first, found none for {missing} "
            f"of {len(rows)}: nothing can be said of another policy on such a log"
        )
    if (propensity == 1).all():
        raise DataError("propensity: expected first places that were left to chance, found 1 for all of them")
    return rows


def _with_shown(dataset: Dataset, time_ms: int, room: int) -> NDArray[np.intp]:
    """Rows of the rooms on air, and of the one that was shown where the last step of the log forgot it."""
    live = dataset.rooms.live_at(time_ms)
    if (dataset.rooms.room[live] == room).any():
        return live
    versions = np.flatnonzero(dataset.rooms.room == room)
    return np.append(live, versions[np.argmin(np.abs(dataset.rooms.start_ms[versions] - time_ms))])


def _described(samples: Samples, dataset: Dataset, slate: NDArray[np.int32], moments: list[Moment]) -> Samples:
    """A slate a request: the user side as it was logged, a candidate for each room on air."""
    tensors = features_at(dataset.about.log, dataset.catalog, samples.layout, moments)
    room = np.concatenate([moment.rooms for moment in moments])
    sizes = [len(moment.rooms) for moment in moments]
    nothing = np.zeros((len(room), len(HEAD_NAMES)))
    candidates = Candidates(
        tensors={name: values for name, values in tensors.items() if name in CANDIDATE_TENSORS},
        slate=np.repeat(np.arange(len(moments), dtype=np.int32), sizes),
        room=room,
        streamer=np.concatenate([moment.streamers for moment in moments]),
        position=np.full(len(room), -1, np.int16),
        propensity=np.zeros(len(room), np.float32),
        sampled=np.zeros(len(room), np.bool_),
        censored=np.zeros(len(room), np.bool_),
        labels=nothing.astype(np.float32),
        mask=nothing.astype(np.bool_),
    )
    return Samples(samples.layout, samples.slates.take(slate.astype(np.intp)), candidates)
